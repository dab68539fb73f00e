"""How forecasts are published: each horizon's forecast, shrunk, with its intervals.

The smoothed target is mostly known, so a good forecast of it says little about the sessions ahead.
The log ROI it implies is shrunk towards zero by the factor that fits best on validation rows. The
intervals around it are conformal: as many scales wide as earlier forecasts were off.

Every horizon up to the longest is calibrated, for both methods, whatever horizons the run asks for:
a later run may ask the same version for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self, get_args

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MAX_HORIZON, MultiStep
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.conformal import TRAILING
from roi_forecast.forecaster.direct import DirectRidge, fit_direct
from roi_forecast.forecaster.expanding_scale import fit_expanding_scale
from roi_forecast.forecaster.horizon_intervals import HorizonErrors, horizon_intervals
from roi_forecast.forecaster.horizon_scale import HorizonScale, fit_horizon_scale
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.recursive import ModelRows, WindowForecaster, forecast_recursively
from roi_forecast.forecaster.scale_inputs import (
    INPUTS,
    MEMORY,
    MarketRows,
    RowSlice,
    ScaleInputs,
    scale_inputs,
)
from roi_forecast.forecaster.shrinkage import counted_log_roi, horizon_shrinkage

METHODS: tuple[MultiStep, ...] = get_args(MultiStep)
# Raised when what is stored changes its meaning; another one cannot be read.
_FORMAT = 5


@dataclass(frozen=True)
class Calibration:
    """How implied log ROIs become published forecasts, for every horizon.

    A row is named as an origin: the session that is the first to be forecast, the row after the
    last known one. The target row of horizon h lies h - 1 rows after it.

    Attributes:
        scale: Expected absolute log ROI up to each horizon: refits over the training rows, the last
            of which, on all of them, forecasts from then on.
        direct: The direct forecasts of the horizons from 2 on.
        shrinkage: Factor from 0 (no skill: forecast zero) to 1 (take the implied value) of each
            method and horizon, shape (MAX_HORIZON,).
        unseen_from: First date on which the network's forecasts are scored: it was neither fitted
            nor chosen on this date or later. Before it a fitted forecast would look better than it
            is, so the errors of the zero forecast are scored instead.
    """

    scale: HorizonScale
    direct: DirectRidge
    shrinkage: Mapping[MultiStep, FloatArray]
    unseen_from: date

    @classmethod
    def fit(
        cls, dataset: Dataset, forecast_windows: WindowForecaster, ridge_penalty: float
    ) -> Self:
        """Fit direct forecasts and scales on training rows, the shrinkage on validation rows.

        Args:
            dataset: What the network was trained on; no row from the first test row on is read.
            forecast_windows: The network, one session ahead.
            ridge_penalty: Of the direct forecasts.

        Raises:
            EvaluationError: No asset has a bar on any validation session.
            TrainingError: There is no training row to fit the scale on, or no price moved.
        """
        train, validation, test = dataset.split.train, dataset.split.validation, dataset.split.test
        actual = counted_log_roi(dataset)
        if not np.isfinite(actual[validation.start : validation.stop]).any():
            raise EvaluationError(
                "no asset has a bar on any validation session; raise validation_share"
            )
        inputs = fitted_inputs(dataset)
        next_session = fit_expanding_scale(inputs, actual, train.stop)
        scale = fit_horizon_scale(next_session, inputs, dataset.log_roi, dataset.filled, train.stop)
        unshrunk = cls(
            scale,
            fit_direct(dataset, ridge_penalty),
            {method: np.ones(MAX_HORIZON) for method in METHODS},
            dataset.dates[test.start].item(),
        )
        preprocessing = Preprocessing.of_dataset(dataset)
        shrinkage = {}
        for method in METHODS:
            cumulated = unshrunk.forecast(
                method, forecast_windows, preprocessing, dataset, validation, MAX_HORIZON
            )
            shrinkage[method] = horizon_shrinkage(cumulated, dataset, validation, test.start)
        return cls(scale, unshrunk.direct, shrinkage, unshrunk.unseen_from)

    def first_scored_row(self, dates: npt.NDArray[np.datetime64]) -> int:
        """Return the first row on which the network's forecasts are scored."""
        return int(np.searchsorted(dates, np.datetime64(self.unseen_from)))

    def forecast(
        self,
        method: MultiStep,
        forecast_windows: WindowForecaster,
        preprocessing: Preprocessing,
        rows: ModelRows,
        origins: range,
        horizons: int,
    ) -> FloatArray:
        """Forecast the log ROI up to each horizon, before shrinking.

        Args:
            method: How horizons beyond the first are forecast.
            forecast_windows: The network, one session ahead.
            preprocessing: The version's own.
            rows: Rows in time order, as the preprocessing made them.
            origins: Rows to forecast from; the last may be the row after the last. No row from an
                origin on takes part in its forecasts.
            horizons: The longest one.

        Returns:
            Shape (horizons, origins, assets), unscaled.

        Raises:
            DatasetError: An origin has too few rows before it, or lies after the next row.
        """
        steps = horizons if method == "recursive" else 1
        near = forecast_recursively(forecast_windows, preprocessing, rows, origins, steps)
        if steps == horizons:
            return near
        return np.concatenate([near, self.direct.predict(preprocessing, rows, origins, horizons)])

    def publish(self, method: MultiStep, cumulated: FloatArray) -> FloatArray:
        """Return what `forecast` gave, shrunk: the published log ROI, same shape."""
        factors = self.shrinkage[method][: len(cumulated)]
        # Adding 0 makes a negative zero a plain one, which no table shows as -0.
        return factors[:, np.newaxis, np.newaxis] * cumulated + 0.0

    def intervals(
        self,
        method: MultiStep,
        rows: MarketRows,
        cumulated: FloatArray,
        targets: range,
        next_date: np.datetime64 | None = None,
    ) -> tuple[tuple[Intervals, ...], ...]:
        """Return the published intervals of every horizon from 1 on, at 80 and 95 %.

        The errors of the zero forecast count at origins before `unseen_from`, and those of the
        published forecasts from then on, of the up to 500 rows before an origin. An error counts
        only once its target row lies before the origin that is forecast: no row from an origin on
        is read for its intervals.

        Args:
            method: How the forecasts were made.
            rows: Rows in time order.
            cumulated: What `forecast` gave at the last rows, down to `next_date` where it is given:
                at all targets and at the rows from `first_scored_row` on, of which those left out
                give no score.
            targets: Origins; the last may be the row after the last.
            next_date: The date of the row after the last, where it is a target.

        Returns:
            For each horizon bounds in percent, shape (targets, assets).

        Raises:
            EvaluationError: There are too few errors before a target, or it has no forecast.
        """
        horizons = len(cumulated)
        given = len(rows.dates) + (next_date is not None) - cumulated.shape[1]
        if given > targets.start:
            raise EvaluationError(
                f"intervals of the rows {targets} need their forecasts; received them from row "
                f"{given} on"
            )
        first = first_needed_row(targets, horizons)
        recent = RowSlice.of(rows, first, len(rows.dates))
        inputs = scale_inputs(recent, next_date)
        scored = self.first_scored_row(inputs.dates)
        published = self.publish(method, cumulated[:, max(first - given, 0) :])
        targets = range(targets.start - first, targets.stop - first)
        before = inputs.shape[0] - published.shape[1]
        wanted = slice(targets.start - before, targets.stop - before)

        def errors() -> Iterator[HorizonErrors]:
            scales = self.scale.predict(inputs, horizons)
            for horizon, (forecast, scale) in enumerate(zip(published, scales, strict=True), 1):
                judged = np.full(inputs.shape, np.nan)
                judged[before:] = forecast
                judged[:scored] = 0.0
                actual = log_roi_ahead(recent.log_roi, recent.filled, horizon)
                scores = np.abs(actual - judged[: len(actual)]) / scale[: len(actual)]
                yield HorizonErrors(scores, scale[targets.start : targets.stop], forecast[wanted])

        return horizon_intervals(errors(), targets)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            "format": _FORMAT,
            "unseen_from": str(self.unseen_from),
            "shrinkage": {method: self.shrinkage[method].tolist() for method in METHODS},
            "scale": self.scale.to_json(),
            "direct": self.direct.weights.tolist(),
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read what `to_json` wrote.

        Raises:
            RegistryError: It is of another format, or not what was written.
        """
        received = content.get("format") if isinstance(content, Mapping) else content
        if received != _FORMAT:
            raise RegistryError(
                f"the calibration is of format {received!r}, this code reads format {_FORMAT}; "
                "train the version again or roll back to one of this format"
            )
        try:
            scale = HorizonScale.from_json(content["scale"])
            if any(fit.slopes.shape != (INPUTS,) for fit in scale.by_anchor[1].fits):
                raise ValueError(f"its scale does not take {INPUTS} inputs")
            shrinkage = {
                method: np.asarray(content["shrinkage"][method], dtype=np.float64)
                for method in METHODS
            }
            if any(factors.shape != (MAX_HORIZON,) for factors in shrinkage.values()):
                raise ValueError(f"its shrinkage does not reach to horizon {MAX_HORIZON}")
            direct = DirectRidge(np.asarray(content["direct"], dtype=np.float64))
            return cls(scale, direct, shrinkage, date.fromisoformat(content["unseen_from"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RegistryError(
                f"the calibration is damaged ({error!r}); train the version again or roll back to "
                "another one"
            ) from error


def fitted_inputs(dataset: Dataset) -> ScaleInputs:
    """Return the inputs of the training rows, and of the row after them, which they lead to."""
    stop = dataset.split.train.stop
    return scale_inputs(RowSlice.of(dataset, 0, stop), dataset.dates[stop])


def first_needed_row(targets: range, horizons: int) -> int:
    """Return the first row on which the intervals of targets rest, as far as `horizons` ahead.

    They rest on the errors of TRAILING rows, which are known once their horizon has passed, and
    these on scales that look back MEMORY rows.
    """
    return max(0, targets.start - (horizons - 1) - TRAILING - MEMORY)
