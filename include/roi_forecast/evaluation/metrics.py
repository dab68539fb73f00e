"""The metrics: one entry each, for every target, split and predictor.

A metric is a function of a mean over entries, one entry for each row and asset. To add one, add it
to `OF_SMOOTHED`, `OF_ROI` or `of_intervals`: test rows, horizons, backtests and live forecasts are
then all scored with it.

Sources: MAE, RMSE and R2 as in Hyndman and Athanasopoulos, Forecasting: Principles and Practice,
chapter 5; R2 against zero as the out-of-sample R2 of Gu, Kelly and Xiu (2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.features.rounding import beyond_rounding, ratio_where
from roi_forecast.forecaster.intervals import Intervals

COVERAGE = "coverage"


@dataclass(frozen=True)
class Scored:
    """Forecasts next to the actual values; every matrix is (rows, assets), in one unit.

    Attributes:
        actual: NaN where an entry does not count.
        forecast: As published. A NaN at a counted entry makes the asset's figures NaN.
        intervals: The bounds at each level, or none.
    """

    actual: FloatArray
    forecast: FloatArray
    intervals: tuple[Intervals, ...] = ()

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """Counted entries of each asset, shape (assets,)."""
        return counted_rows(self.actual)


@dataclass(frozen=True)
class Metric:
    """One figure of forecasts.

    Attributes:
        name: As in the table `evaluations`.
        entries: Gives an entry for each row and asset, NaN where none counts.
        opponent: Gives the forecast whose `squared_loss` the mean of an asset's squared errors is
            divided by, broadcast against the actual values; None: the mean stays as it is.
        of_mean: The figure that such a mean amounts to.
        is_pooled: Whether the figure over all assets is that of all entries alike, rather than of
            the mean over assets.
    """

    name: str
    entries: Callable[[Scored], FloatArray]
    opponent: Callable[[Scored], FloatArray | float] | None = None
    of_mean: Callable[[FloatArray], FloatArray] = lambda mean: mean
    is_pooled: bool = False

    def __call__(self, actual: FloatArray, forecast: FloatArray) -> FloatArray:
        """Return the figure of each asset, as `by_asset`."""
        return self.by_asset(Scored(actual, forecast))

    def overall(self, actual: FloatArray, forecast: FloatArray) -> float:
        """Return the figure over all assets, as `together`."""
        return self.together(Scored(actual, forecast))

    def by_asset(self, scored: Scored) -> FloatArray:
        """Return the figure of each asset, shape (assets,); NaN where it is not defined."""
        return self.of_mean(self._means(scored))

    def together(self, scored: Scored) -> float:
        """Return one figure over all assets; an asset without one of its own is left out.

        NaN where no asset has a figure, or where a counted entry was forecast as NaN.
        """
        if _misses(scored).any():
            return float("nan")
        means = self.entries(scored) if self.is_pooled else self._means(scored)
        return float(self.of_mean(mean_of_counted(means.reshape(-1, 1)))[0])

    def paired_entries(self, scored: Scored) -> FloatArray:
        """Return entries to resample, shape (rows, assets): `of_mean` of their mean is the figure.

        An opponent's error on a row is taken off, since the same days are hard for both.
        """
        entries = self.entries(scored)
        if self.opponent is None:
            return entries
        opponent = self.opponent(scored)
        theirs = np.square(opponent - scored.actual)
        return 1.0 + (entries - theirs) / squared_loss(scored.actual, opponent)

    def _means(self, scored: Scored) -> FloatArray:
        entries = self.entries(scored)
        if self.opponent is None:
            means = mean_of_counted(entries)
        else:
            opponent = self.opponent(scored)
            loss = squared_loss(scored.actual, opponent)
            means = mean_of_counted(np.where(np.isnan(opponent), np.nan, entries))
            means = ratio_where(np.isfinite(loss), means, loss)
        return np.where(_misses(scored), np.nan, means)


def _misses(scored: Scored) -> npt.NDArray[np.bool_]:
    """Return the assets of which a counted entry has no forecast, shape (assets,)."""
    missing = np.isfinite(scored.actual) & np.isnan(scored.forecast)
    return np.asarray(missing.any(axis=0), dtype=np.bool_)


def _absolute_errors(scored: Scored) -> FloatArray:
    return np.abs(scored.forecast - scored.actual)


def _squared_errors(scored: Scored) -> FloatArray:
    return np.square(scored.forecast - scored.actual)


def _own_mean(scored: Scored) -> FloatArray:
    return mean_of_counted(scored.actual)


def _direction_hits(scored: Scored) -> FloatArray:
    """Return 1 where the sign is right, 0 where not, NaN where either side is zero or missing."""
    actual, forecast = scored.actual, scored.forecast
    decided = np.isfinite(actual) & np.isfinite(forecast) & (actual != 0) & (forecast != 0)
    return np.where(decided, np.sign(actual) == np.sign(forecast), np.nan)


def _coverage(number: int, scored: Scored) -> FloatArray:
    return scored.intervals[number].covers(scored.actual)


def _interval_score(number: int, scored: Scored) -> FloatArray:
    return scored.intervals[number].score(scored.actual)


def _root(mean: FloatArray) -> FloatArray:
    # The lower bound of a resampled mean may lie below zero.
    return np.sqrt(np.maximum(mean, 0.0))


def _complement(loss: FloatArray) -> FloatArray:
    return 1.0 - loss


def r2_against(name: str, opponent: FloatArray | float) -> Metric:
    """Return the gain in squared error over another forecast, every asset counting alike.

    Args:
        name: Of the metric.
        opponent: The other forecast, broadcast against the actual values; rows without it do not
            count.
    """
    return Metric(name, _squared_errors, lambda _: opponent, _complement)


mean_absolute_error = Metric("mae", _absolute_errors)
root_mean_squared_error = Metric("rmse", _squared_errors, of_mean=_root)
r2 = Metric("r2", _squared_errors, _own_mean, _complement)
r2_against_zero = r2_against("r2_against_zero", 0.0)
directional_accuracy = Metric("directional_accuracy", _direction_hits, is_pooled=True)

OF_SMOOTHED = (mean_absolute_error, root_mean_squared_error, r2)
"""Metrics of the smoothed ROI."""
OF_ROI = (*OF_SMOOTHED, r2_against_zero, directional_accuracy)
"""Metrics of the published ROI of the next session and of those beyond."""

UNDEFINED_BECAUSE = {
    "r2": "the actual values do not vary",
    "r2_against_zero": "no price moved",
    "directional_accuracy": "no price moved, or no direction was forecast",
}
"""Why a metric may be undefined for an asset that has counted entries."""


def of_intervals(intervals: tuple[Intervals, ...]) -> tuple[Metric, ...]:
    """Return the metrics of bounds: share of actual values inside, and interval score."""
    return tuple(
        Metric(f"{name}_{round(100 * bounds.level)}", partial(entries, number), is_pooled=True)
        for number, bounds in enumerate(intervals)
        for name, entries in ((COVERAGE, _coverage), ("interval_score", _interval_score))
    )


def squared_loss(actual: FloatArray, opponent: FloatArray | float) -> FloatArray:
    """Return the mean squared error of what others are compared with, shape (assets,).

    NaN where nothing counts and where it is zero but for the rounding of the values: no forecast
    can be compared with one that is right without fail, and a ratio to it means nothing.
    """
    theirs = np.broadcast_to(opponent, actual.shape)
    counted = np.isfinite(actual) & np.isfinite(theirs)
    loss = mean_of_counted(np.where(counted, (theirs - actual) ** 2, np.nan))
    magnitude = np.where(counted, np.maximum(np.abs(actual), np.abs(theirs)), 0.0)
    defined = beyond_rounding(np.sqrt(loss), magnitude.max(axis=0, initial=0.0))
    return np.where(defined, loss, np.nan)


def counted_rows(actual: FloatArray) -> npt.NDArray[np.intp]:
    """Return the number of counted entries of each asset, shape (assets,)."""
    counts: npt.NDArray[np.intp] = np.isfinite(actual).sum(axis=0)
    return counts


def mean_of_counted(entries: FloatArray) -> FloatArray:
    """Return the mean of each asset's entries, shape (assets,); NaN entries do not count."""
    counted = ~np.isnan(entries)
    counts = counted.sum(axis=0)
    return ratio_where(counts > 0, np.where(counted, entries, 0.0).sum(axis=0), counts)
