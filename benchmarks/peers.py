"""What a peer's forecasts are made of, and the conformal intervals that every peer is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.folds import Fold
from roi_forecast.backtest.walk_forward import REFIT_EVERY, intervals_of_scale
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.conformal import LEVELS, conformal_intervals, intervals_around
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.shrinkage import counted_log_roi

FIRST_REFIT = 126
"""Rows before a peer's first fit, where there are that many: half a year."""

# Bounds that touch would make a conformal score infinite.
_LEAST_HALF = 1e-5


@dataclass(frozen=True)
class PeerForecasts:
    """Forecasts of every row from the first refit on; each sees only rows before its target.

    Attributes:
        point: Next log ROI, shape (rows, assets); NaN before the first refit.
        bounds: Lower and upper bounds at LEVELS by the peer's own distribution, log ROI, shape
            (levels, 2, rows, assets); None for a peer that gives a point alone.
    """

    point: FloatArray
    bounds: FloatArray | None

    def own_intervals(self, targets: range) -> tuple[Intervals, ...]:
        """Return the bounds as they are, in percent, shape (targets, assets).

        Raises:
            ValueError: The peer gives a point alone.
        """
        if self.bounds is None:
            raise ValueError("this peer gives no distribution, only a point")
        rows = slice(targets.start, targets.stop)
        lower, upper = self.bounds[:, 0, rows], self.bounds[:, 1, rows]
        return tuple(
            intervals_around((low + high) / 2, ((high - low) / 2)[np.newaxis], (level,))[0]
            for level, low, high in zip(LEVELS, lower, upper, strict=True)
        )

    def conformal_intervals(
        self, dataset: Dataset, targets: range, scales: FloatArray
    ) -> tuple[Intervals, ...]:
        """Return the intervals with the trailing conformal quantiles of the shipped ones.

        The bounds of each level give the middle and the scale, so that skewed ones stay skewed:
        conformalized quantile regression (Romano, Patterson and Candès, 2019) with a normalised
        score. A peer that gives a point alone takes the scale of the model.

        Args:
            dataset: The rows.
            targets: The last rows of the dataset.
            scales: Of the model, shape (rows, assets), log ROI.

        Returns:
            At 80 and 95 %, in percent, shape (targets, assets).

        Raises:
            EvaluationError: There are too few errors before the first target.
        """
        rows = slice(targets.start, targets.stop)
        if self.bounds is None:
            return intervals_of_scale(dataset, scales, targets, self.point[rows])
        actual = counted_log_roi(dataset)
        result: list[Intervals] = []
        for level, (lower, upper) in zip(LEVELS, self.bounds, strict=True):
            middle, half = (lower + upper) / 2, np.maximum((upper - lower) / 2, _LEAST_HALF)
            errors = np.abs(actual - middle)
            result += conformal_intervals(errors, half, middle[rows], targets, (level,))
        return tuple(result)


Peer = Callable[[Dataset, Sequence[int]], PeerForecasts]
"""Forecasts every row of a dataset, fitted anew before each of some rows, in ascending order."""


def refit_rows(folds: Sequence[Fold]) -> list[int]:
    """Return the rows before which a peer is fitted: the folds' first, and as often before them.

    The conformal scores of the rows before the first target need forecasts too.
    """
    start = folds[0].targets.start
    earlier = [*range(start, min(FIRST_REFIT, start) - 1, -REFIT_EVERY)][:0:-1]
    return [*earlier, *(fold.targets.start for fold in folds)]


def parts_of(refits: Sequence[int], rows: int) -> list[range]:
    """Return the rows that each refit forecasts: up to the next one, the last up to the end."""
    return [range(start, stop) for start, stop in zip(refits, [*refits[1:], rows], strict=True)]


def no_forecasts(dataset: Dataset) -> tuple[FloatArray, FloatArray]:
    """Return a point, shape (rows, assets), and bounds, (levels, 2, rows, assets), all NaN."""
    shape = dataset.log_roi.shape
    return np.full(shape, np.nan), np.full((len(LEVELS), 2, *shape), np.nan)
