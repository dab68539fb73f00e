"""What is published for several sessions ahead: the cumulated log ROI, shrunk, with its intervals.

Every horizon up to the longest is calibrated, for both ways of forecasting it, whatever horizons
the run asks for: a later run may ask the same version for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MAX_HORIZON, MultiStep
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.direct import DirectRidge, fit_direct
from roi_forecast.forecaster.horizon_intervals import HorizonErrors, horizon_intervals
from roi_forecast.forecaster.horizon_scale import HorizonScale, fit_horizon_scale
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.next_day import (
    NextDayCalibration,
    first_needed_row,
    fitted_inputs,
    shrinkage_factor,
)
from roi_forecast.forecaster.recursive import ModelRows, WindowForecaster, forecast_recursively
from roi_forecast.forecaster.scale_inputs import MarketRows, RowSlice, scale_inputs

METHODS: tuple[MultiStep, ...] = get_args(MultiStep)


@dataclass(frozen=True)
class HorizonCalibration:
    """How the forecasts of every horizon are made and published.

    A row is named as an origin: the session that is the first to be forecast, the row after the
    last known one. The target row of horizon h lies h - 1 rows after it.

    Attributes:
        next_day: Horizon 1, which is the network's own in both ways.
        scale: Expected absolute log ROI up to each horizon.
        direct: The direct forecasts of the horizons from 2 on.
        shrinkage: Factor from 0 to 1 of each way and horizon, shape (MAX_HORIZON,).
    """

    next_day: NextDayCalibration
    scale: HorizonScale
    direct: DirectRidge
    shrinkage: Mapping[MultiStep, FloatArray]

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        next_day: NextDayCalibration,
        forecast_windows: WindowForecaster,
        ridge_penalty: float,
    ) -> Self:
        """Fit direct forecasts and scales on training rows, the shrinkage on validation rows.

        Args:
            dataset: What the network was trained on; no row from the first test row on is read.
            next_day: Calibration of horizon 1.
            forecast_windows: The network, one session ahead.
            ridge_penalty: Of the direct forecasts.

        Raises:
            TrainingError: No price moved on any training row.
        """
        validation, test = dataset.split.validation, dataset.split.test
        scale = fit_horizon_scale(
            next_day.scale,
            fitted_inputs(dataset),
            dataset.log_roi,
            dataset.filled,
            dataset.split.train.stop,
        )
        direct = fit_direct(dataset, ridge_penalty)
        preprocessing = Preprocessing.of_dataset(dataset)
        shrinkage = {}
        for method in METHODS:
            cumulated = forecast_horizons(
                method,
                direct,
                forecast_windows,
                preprocessing,
                dataset,
                validation,
                MAX_HORIZON,
            )
            factors = horizon_shrinkage(cumulated, dataset, validation, test.start)
            factors[0] = next_day.shrinkage
            shrinkage[method] = factors
        return cls(next_day, scale, direct, shrinkage)

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
        return forecast_horizons(
            method, self.direct, forecast_windows, preprocessing, rows, origins, horizons
        )

    def publish(self, method: MultiStep, cumulated: FloatArray) -> FloatArray:
        """Return what `forecast` gave, shrunk: the published log ROI, same shape."""
        factors = self.shrinkage[method][: len(cumulated)]
        return factors[:, np.newaxis, np.newaxis] * cumulated

    def intervals(
        self,
        method: MultiStep,
        rows: MarketRows,
        cumulated: FloatArray,
        targets: range,
        next_date: np.datetime64 | None = None,
    ) -> tuple[tuple[Intervals, ...], ...]:
        """Return the published intervals of every horizon from 1 on, at 80 and 95 %.

        As at horizon 1, the errors of the zero forecast count at origins before `unseen_from`, and
        those of what was published from then on. An error counts only once its target row lies
        before the origin that is forecast: no row from an origin on is read for its intervals.

        Args:
            method: How the forecasts were made.
            rows: Rows in time order.
            cumulated: What `forecast` gave at the last rows, down to `next_date` where it is given:
                at all targets and at the rows from `first_scored_row` on, of which those left out
                give no score. Shape (horizons, those rows, assets).
            targets: Origins whose intervals are wanted; the last may be the row after the last.
            next_date: The date of the row after the last, where it is an origin.

        Returns:
            For each horizon one for each level, bounds in percent, shape (targets, assets).

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
        scored = self.next_day.first_scored_row(inputs.dates)
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
                came = log_roi_ahead(recent.log_roi, recent.filled, horizon)
                scores = np.abs(came - judged[: len(came)]) / scale[: len(came)]
                yield HorizonErrors(scores, scale[targets.start : targets.stop], forecast[wanted])

        return horizon_intervals(errors(), targets)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            **self.next_day.to_json(),
            "horizons": {
                "shrinkage": {method: self.shrinkage[method].tolist() for method in METHODS},
                "scale": self.scale.to_json(),
                "direct": self.direct.weights.tolist(),
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            RegistryError: It is of another format, or not what was written.
        """
        next_day = NextDayCalibration.from_json(content)
        try:
            farther = content["horizons"]
            shrinkage = {
                method: np.asarray(farther["shrinkage"][method], dtype=np.float64)
                for method in METHODS
            }
            if any(factors.shape != (MAX_HORIZON,) for factors in shrinkage.values()):
                raise ValueError(f"its shrinkage does not reach to horizon {MAX_HORIZON}")
            weights = np.asarray(farther["direct"], dtype=np.float64)
            scale = HorizonScale.from_json(next_day.scale, farther["scale"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RegistryError(
                f"the calibration is damaged ({error!r}); train the version again or roll back to "
                "another one"
            ) from error
        return cls(next_day, scale, DirectRidge(weights), shrinkage)


def forecast_horizons(
    method: MultiStep,
    direct: DirectRidge,
    forecast_windows: WindowForecaster,
    preprocessing: Preprocessing,
    rows: ModelRows,
    origins: range,
    horizons: int,
) -> FloatArray:
    """Forecast as `HorizonCalibration.forecast` does."""
    if method == "recursive":
        return forecast_recursively(forecast_windows, preprocessing, rows, origins, horizons)
    first = forecast_recursively(forecast_windows, preprocessing, rows, origins, 1)
    return np.concatenate([first, direct.predict(preprocessing, rows, origins, horizons)])


def horizon_shrinkage(
    cumulated: FloatArray, rows: ModelRows, origins: range, stop: int
) -> FloatArray:
    """Return the factor of each horizon that the rows before `stop` support.

    The factor in [0, 1] with the least squared error, times m / (m + 1): m is the number of origins
    with a known move over the horizon, so many of the moves as share no session, and the prior that
    forecasts know nothing weighs as much as one more (a unit-information prior: Kass and Wasserman,
    1995). Without a known move the factor is 0.

    Args:
        cumulated: Forecasts, shape (horizons, origins, assets), log ROI.
        rows: Rows in time order.
        origins: Rows that the forecasts were made at.
        stop: No row from this one on is read.

    Returns:
        Shape (horizons,).
    """
    factors = np.zeros(len(cumulated))
    known = slice(origins.start, stop)
    log_rois, filled = rows.log_roi[known], rows.filled[known]
    for horizon, forecast in enumerate(cumulated, start=1):
        came = log_roi_ahead(log_rois, filled, horizon)[: len(origins)]
        moves = np.count_nonzero(np.isfinite(came).any(axis=1)) / horizon
        factors[horizon - 1] = shrinkage_factor(forecast, came) * moves / (moves + 1.0)
    return factors
