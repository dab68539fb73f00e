"""What is published for the next session: the implied log ROI, shrunk, with its intervals.

The smoothed target is mostly known, so a good forecast of it says little about the next session.
The log ROI it implies is shrunk towards zero by the factor that fits best on validation rows. The
intervals around it are conformal: as many scales wide as the forecasts of the rows before were off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rounding import beyond_rounding, ratio_where
from roi_forecast.forecaster.conformal import TRAILING, conformal_intervals
from roi_forecast.forecaster.expanding_scale import ExpandingScale, fit_expanding_scale
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.scale_inputs import (
    INPUTS,
    MEMORY,
    MarketRows,
    RowSlice,
    ScaleInputs,
    scale_inputs,
)

# Raised when what is stored changes its meaning; another one cannot be read.
_FORMAT = 4


@dataclass(frozen=True)
class NextDayCalibration:
    """How an implied log ROI becomes a published forecast.

    Attributes:
        shrinkage: Factor from 0 (no skill: forecast zero) to 1 (take the implied value).
        scale: The scale forecast: refits over the training rows, the last of which, on all of
            them, forecasts from then on.
        unseen_from: First date on which the network's forecasts are scored: it was neither fitted
            nor chosen on this date or later. Before it a fitted forecast would look better than it
            is, so the errors of the zero forecast are scored instead.
    """

    shrinkage: float
    scale: ExpandingScale
    unseen_from: date

    @classmethod
    def fit(cls, dataset: Dataset, validation_implied: FloatArray) -> Self:
        """Fit the shrinkage on validation rows and the scale on training rows.

        Args:
            dataset: What the network was trained on; no row from the first test row on is read.
            validation_implied: Implied log ROI of the validation targets, shape (targets, assets),
                unscaled.

        Raises:
            EvaluationError: No asset has a bar on any validation session.
            TrainingError: There is no training row to fit the scale on, or no price moved.
        """
        validation, training = dataset.split.validation, dataset.split.train
        actual = counted_log_roi(dataset)
        came = actual[validation.start : validation.stop]
        if not np.isfinite(came).any():
            raise EvaluationError(
                "no asset has a bar on any validation session; raise validation_share"
            )
        scale = fit_expanding_scale(fitted_inputs(dataset), actual, training.stop)
        return cls(
            shrinkage_factor(validation_implied, came),
            scale,
            dataset.dates[dataset.split.test.start].item(),
        )

    def first_scored_row(self, dates: npt.NDArray[np.datetime64]) -> int:
        """Return the first row on which the network's forecasts are scored."""
        return int(np.searchsorted(dates, np.datetime64(self.unseen_from)))

    def intervals(
        self,
        rows: MarketRows,
        implied: FloatArray,
        targets: range,
        next_date: np.datetime64 | None = None,
    ) -> tuple[Intervals, ...]:
        """Return the published intervals of target rows, at 80 and 95 %.

        The interval of row t rests on the scores of the up to 500 rows before t, whichever part of
        the split they are in: that is how it is published too. No row from t on is read.

        Args:
            rows: Rows in time order.
            implied: Implied log ROI of the last rows, down to `next_date` where it is given: of all
                targets and of the rows from `first_scored_row` on, of which those left out give no
                score. Shape (those rows, assets), unscaled.
            targets: Target rows; the last may be the row after the last.
            next_date: The date of the row after the last, where it is a target.

        Returns:
            Bounds in percent, shape (targets, assets).

        Raises:
            EvaluationError: There are too few errors before a target, or it has no implied value.
        """
        given = len(rows.dates) + (next_date is not None) - len(implied)
        if given > targets.start:
            raise EvaluationError(
                f"intervals of the rows {targets} need their implied log ROI; received it from "
                f"row {given} on"
            )
        first = first_needed_row(targets, 1)
        recent = RowSlice.of(rows, first, len(rows.dates))
        inputs = scale_inputs(recent, next_date)
        published = self.shrinkage * implied[max(first - given, 0) :]
        targets = range(targets.start - first, targets.stop - first)
        before = len(inputs.dates) - len(published)
        judged = np.full(inputs.shape, np.nan)
        judged[before:] = published
        judged[: self.first_scored_row(inputs.dates)] = 0.0
        errors = np.abs(counted_log_roi(recent) - judged[: len(recent.dates)])
        wanted = slice(targets.start - before, targets.stop - before)
        return conformal_intervals(errors, self.scale.predict(inputs), published[wanted], targets)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            "format": _FORMAT,
            "shrinkage": self.shrinkage,
            "unseen_from": str(self.unseen_from),
            "scale": self.scale.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            RegistryError: It is of another format, or not what was written.
        """
        received = content.get("format", 1) if isinstance(content, Mapping) else content
        if received != _FORMAT:
            raise RegistryError(
                f"the calibration is of format {received!r}, this code reads format {_FORMAT}; "
                "train the version again or roll back to one of this format"
            )
        try:
            scale = ExpandingScale.from_json(content["scale"])
            if any(fit.slopes.shape != (INPUTS,) for fit in scale.fits):
                raise ValueError(f"its scale does not take {INPUTS} inputs")
            return cls(
                float(content["shrinkage"]), scale, date.fromisoformat(content["unseen_from"])
            )
        except (KeyError, TypeError, ValueError) as error:
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


def counted_log_roi(rows: MarketRows) -> FloatArray:
    """Return the plain log ROI, shape (rows, assets), NaN where the asset had no bar."""
    return np.where(rows.filled, np.nan, rows.log_roi)


def shrinkage_factor(implied: FloatArray, actual: FloatArray) -> float:
    """Return the factor in [0, 1] with the least squared error of factor * implied.

    Every asset counts alike: its rows are weighted by the inverse variance of what came. One whose
    price did not move, but for rounding, does not count.

    Args:
        implied: Shape (rows, assets), log ROI.
        actual: Same shape; NaN where an entry does not count.
    """
    counted = np.isfinite(actual)
    power = np.where(counted, actual, 0.0) ** 2
    scale = np.sqrt(power.sum(axis=0) / np.maximum(counted.sum(axis=0), 1))
    # A price that did not move says nothing; a scale of rounding would let it decide alone.
    moved = np.broadcast_to(beyond_rounding(scale, 1.0), counted.shape) & counted
    forecast = ratio_where(moved, implied, np.broadcast_to(scale, implied.shape))
    came = ratio_where(moved, actual, np.broadcast_to(scale, actual.shape))
    forecast, came = np.nan_to_num(forecast), np.nan_to_num(came)
    square = float((forecast**2).sum())
    if square == 0.0:
        return 0.0
    return min(max(float((forecast * came).sum()) / square, 0.0), 1.0)
