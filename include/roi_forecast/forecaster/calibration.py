"""How forecasts are published: the network's share in them, and their intervals.

The linear part says itself how much of it to publish. What the network adds is multiplied by the
factor that validation rows support. The intervals are conformal: as many scales wide as earlier
published forecasts were off.

Every horizon up to the longest is calibrated, for both methods, whatever horizons the run asks for:
a later run may ask the same version for others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
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
from roi_forecast.features.rounding import beyond_rounding
from roi_forecast.forecaster.conformal import TRAILING
from roi_forecast.forecaster.direct import DirectRidge, fit_direct
from roi_forecast.forecaster.horizon_intervals import HorizonErrors, horizon_intervals
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.recursive import ModelRows, WindowForecaster, forecast_recursively
from roi_forecast.forecaster.shrinkage import counted_log_roi, factors_ahead, supported_factor
from roi_forecast.linear.through_time import Linear
from roi_forecast.scale.averages import MEMORY
from roi_forecast.scale.horizons import HorizonScale
from roi_forecast.scale.inputs import INPUTS, scale_inputs
from roi_forecast.scale.market_rows import MarketRows, RowSlice

METHODS: tuple[MultiStep, ...] = get_args(MultiStep)
# Raised when what is stored changes its meaning; another one cannot be read.
_FORMAT = 6
# The epoch whose weights the network has was chosen on the same rows.
_LEAST_T_OF_NETWORK = 2.0


@dataclass(frozen=True)
class Calibration:
    """How the parts of a forecast become what is published, for every horizon.

    A row is named as an origin: the session that is the first to be forecast, the row after the
    last known one. The target row of horizon h lies h - 1 rows after it.

    Attributes:
        scale: Expected absolute log ROI up to each horizon, fitted again as time passes.
        direct: The direct forecasts of the moves after the next session.
        network: How much of what the network adds to the next session's log ROI is published, from
            0 (nothing) to 1.
        ahead: Likewise of what each horizon's forecast adds to the next session's, by method, shape
            (MAX_HORIZON,).
        unseen_from: First date on which the network's part is scored: it was neither fitted nor
            chosen on this date or later. Before it the errors of the linear part count instead.
    """

    scale: HorizonScale
    direct: DirectRidge
    network: float
    ahead: Mapping[MultiStep, FloatArray]
    unseen_from: date

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        linear: Linear,
        scale: HorizonScale,
        forecaster: WindowForecaster | None,
    ) -> Self:
        """Fit direct forecasts on training rows and the factors on validation rows.

        Args:
            dataset: What the network was trained on; no row from the first test row on is read.
            linear: The linear part, fitted through time.
            scale: The scale, fitted through time.
            forecaster: The network, one session ahead; None: the linear part alone.

        Raises:
            EvaluationError: No asset has a bar on any validation session.
        """
        validation, test = dataset.split.validation, dataset.split.test
        own = counted_log_roi(dataset)[validation.start : validation.stop]
        if not np.isfinite(own).any():
            raise EvaluationError(
                "no asset has a bar on any validation session; raise validation_share"
            )
        unseen_from = dataset.dates[test.start].item()
        direct = fit_direct(dataset)
        start = cls(scale, direct, 1.0, {}, unseen_from)
        published = linear.predict(dataset, validation).published
        preprocessing = Preprocessing.of_dataset(dataset)
        ahead = {}
        for method in METHODS:
            cumulated = start.forecast(
                method,
                forecaster,
                preprocessing,
                dataset,
                published,
                validation,
                MAX_HORIZON,
            )
            ahead[method] = factors_ahead(cumulated, dataset, validation, test.start)
        added = cumulated[0] - published
        network = supported_factor(added, own - published, least_t=_LEAST_T_OF_NETWORK)
        return cls(scale, direct, network, ahead, unseen_from)

    def first_scored_row(self, dates: npt.NDArray[np.datetime64]) -> int:
        """Return the first row on which the network's part is scored."""
        return int(np.searchsorted(dates, np.datetime64(self.unseen_from)))

    def forecast(
        self,
        method: MultiStep,
        forecaster: WindowForecaster | None,
        preprocessing: Preprocessing,
        rows: ModelRows,
        published: FloatArray,
        origins: range,
        horizons: int,
    ) -> FloatArray:
        """Forecast the log ROI up to each horizon, as the network has it.

        Args:
            method: How horizons beyond the first are forecast.
            forecaster: The network, one session ahead; None: the linear part alone.
            preprocessing: The version's own.
            rows: Rows in time order, as the preprocessing made them.
            published: The linear part of the origins, shape (origins, assets).
            origins: Rows to forecast from; the last may be the row after the last. No row from an
                origin on takes part in its forecasts.
            horizons: The longest one.

        Returns:
            Shape (horizons, origins, assets), unscaled.

        Raises:
            DatasetError: An origin has too few rows before it, or lies after the next row.
        """
        steps = horizons if method == "recursive" else 1
        if forecaster is None:
            near = np.repeat(published[np.newaxis], steps, axis=0)
        else:
            near = forecast_recursively(forecaster, preprocessing, rows, published, origins, steps)
            # A network that adds nothing leaves the rounding of scaled units, which has no
            # direction and earns no share in what is published.
            unit = preprocessing.smoothing / preprocessing.scaler.slope
            near = np.where(beyond_rounding(np.abs(near - published), unit), near, published)
        if steps == horizons:
            return near
        cumulated: FloatArray = np.empty((horizons, *near.shape[1:]))
        cumulated[0] = near[0]
        later = self.direct.predict(preprocessing, rows, origins, horizons)
        np.add(near, later, out=cumulated[1:])
        return cumulated

    def publishes_network(self, method: MultiStep) -> bool:
        """Tell whether the network has a share in any published forecast of a method."""
        return self.network > 0 or method == "recursive"

    def publish(self, method: MultiStep, linear: FloatArray, cumulated: FloatArray) -> FloatArray:
        """Return the published log ROI of every horizon.

        Args:
            method: How horizons beyond the first are forecast.
            linear: The published linear part, shape (origins, assets).
            cumulated: What `forecast` gave, shape (horizons, origins, assets).
        """
        near = linear + self.network * (cumulated[0] - linear)
        # In place: of thousands of assets one such array takes hundreds of megabytes.
        published: FloatArray = cumulated - cumulated[0]
        published *= self.ahead[method][: len(cumulated), np.newaxis, np.newaxis]
        published += near
        # Adding 0 makes a negative zero a plain one, which no table shows as -0.
        published += 0.0
        return published

    def intervals(
        self,
        rows: MarketRows,
        linear: FloatArray,
        published: FloatArray,
        targets: range,
        next_date: np.datetime64 | None = None,
        wanted_horizons: Collection[int] | None = None,
    ) -> tuple[tuple[Intervals, ...], ...]:
        """Return the published intervals of horizons, at 80 and 95 %.

        The errors of the linear part count at origins before `unseen_from`, and those of the
        published forecasts from then on, of the up to 500 rows before an origin. An error counts
        only once its target row lies before the origin that is forecast: no row from an origin on
        is read for its intervals.

        Args:
            rows: Rows in time order.
            linear: The published linear part of all rows, down to `next_date` where it is given,
                shape (rows, assets); NaN gives no score.
            published: What `publish` gave at the last rows, down to `next_date`, shape (horizons,
                origins, assets): at all targets and at the rows from `first_scored_row` on, of
                which those left out give no score.
            targets: Origins; the last may be the row after the last.
            next_date: The date of the row after the last, where it is a target.
            wanted_horizons: The horizons; None: every one from 1 on.

        Returns:
            For each horizon bounds in percent, shape (targets, assets).

        Raises:
            EvaluationError: There are too few errors before a target, or it has no forecast.
        """
        horizons = len(published)
        given = len(rows.dates) + (next_date is not None) - published.shape[1]
        if given > targets.start:
            raise EvaluationError(
                f"intervals of the rows {targets} need their forecasts; received them from row "
                f"{given} on"
            )
        first = first_needed_row(targets, horizons)
        recent = RowSlice.of(rows, first, len(rows.dates))
        inputs = scale_inputs(recent, next_date)
        scored = self.first_scored_row(inputs.dates)
        published = published[:, max(first - given, 0) :]
        linear = linear[first:]
        targets = range(targets.start - first, targets.stop - first)
        before = inputs.shape[0] - published.shape[1]
        wanted = slice(targets.start - before, targets.stop - before)

        def errors() -> Iterator[HorizonErrors]:
            scales = self.scale.predict(inputs, horizons)
            for horizon, (forecast, scale) in enumerate(zip(published, scales, strict=True), 1):
                judged = np.full(inputs.shape, np.nan)
                judged[before:] = forecast
                judged[:scored] = linear[:scored]
                actual = log_roi_ahead(recent.log_roi, recent.filled, horizon)
                scores = np.abs(actual - judged[: len(actual)]) / scale[: len(actual)]
                yield HorizonErrors(scores, scale[targets.start : targets.stop], forecast[wanted])

        return horizon_intervals(errors(), targets, wanted_horizons=wanted_horizons)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            "format": _FORMAT,
            "unseen_from": str(self.unseen_from),
            "network": self.network,
            "ahead": {method: self.ahead[method].tolist() for method in METHODS},
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
            ahead = {
                method: np.asarray(content["ahead"][method], dtype=np.float64) for method in METHODS
            }
            if any(factors.shape != (MAX_HORIZON,) for factors in ahead.values()):
                raise ValueError(f"its factors do not reach to horizon {MAX_HORIZON}")
            direct = DirectRidge(np.asarray(content["direct"], dtype=np.float64))
            unseen_from = date.fromisoformat(content["unseen_from"])
            return cls(scale, direct, float(content["network"]), ahead, unseen_from)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RegistryError(
                f"the calibration is damaged ({error!r}); train the version again or roll back to "
                "another one"
            ) from error


def first_needed_row(targets: range, horizons: int) -> int:
    """Return the first row on which the intervals of targets rest, as far as `horizons` ahead.

    They rest on the errors of TRAILING rows, which are known once their horizon has passed, and
    these on scales that look back MEMORY rows.
    """
    return max(0, targets.start - (horizons - 1) - TRAILING - MEMORY)
