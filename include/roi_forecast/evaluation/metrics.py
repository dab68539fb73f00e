"""Error measures on arrays whose uncounted entries are NaN.

Sources: MAE, RMSE and R2 as in Hyndman and Athanasopoulos, Forecasting: Principles and Practice,
chapter 5; R2 against zero as the out-of-sample R2 of Gu, Kelly and Xiu (2020).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from roi_forecast.array_types import BoolArray, FloatArray, IndexArray
from roi_forecast.features.rounding import beyond_rounding, ratio_where

UNDEFINED = "undefined"

Metric = Callable[[FloatArray, FloatArray], FloatArray]


def mean_absolute_error(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return the MAE of each asset, shape (assets,), in the units of the arguments.

    Args:
        actual: Shape (rows, assets); NaN where an entry does not count.
        predicted: Shape (rows, assets). A NaN at a counted entry makes the asset's value NaN.
    """
    return _mean(np.abs(predicted - actual), np.isfinite(actual))


def root_mean_squared_error(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return the RMSE of each asset, shape (assets,), in the units of the arguments."""
    return np.sqrt(_mean((predicted - actual) ** 2, np.isfinite(actual)))


def r2(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return 1 - SS_residual / SS_total of each asset; NaN where the actual values do not vary."""
    return 1.0 - relative_loss(actual, predicted, mean_of_counted(actual))


def r2_against_zero(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return 1 - SS_residual / SS_actual of each asset: the gain over always forecasting 0.

    NaN where nothing moved.
    """
    return 1.0 - relative_loss(actual, predicted, 0.0)


def relative_loss(
    actual: FloatArray, predicted: FloatArray, opponent: FloatArray | float
) -> FloatArray:
    """Return the squared error over an opponent's, shape (assets,); NaN as `squared_loss` is.

    Args:
        actual: Shape (rows, assets); NaN where an entry does not count.
        predicted: Same shape.
        opponent: The opponent's forecast, broadcast against it.
    """
    theirs = squared_loss(actual, opponent)
    own = _mean((predicted - actual) ** 2, np.isfinite(actual))
    return ratio_where(np.isfinite(theirs), own, theirs)


def squared_loss(actual: FloatArray, opponent: FloatArray | float) -> FloatArray:
    """Return the mean squared error of what others are held against, shape (assets,).

    NaN where nothing counts and where it is zero but for the rounding of the values: no forecast
    can be held against one that is right without fail, and a ratio to it means nothing.
    """
    counted = np.isfinite(actual)
    said = np.broadcast_to(opponent, actual.shape)
    loss = _mean((said - actual) ** 2, counted)
    magnitude = np.where(counted, np.maximum(np.abs(actual), np.abs(said)), 0.0)
    defined = beyond_rounding(np.sqrt(loss), magnitude.max(axis=0, initial=0.0))
    return np.where(defined, loss, np.nan)


def directional_accuracy(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return the share of equal signs of each asset; an entry with a zero on either side is out.

    NaN where no entry is left.
    """
    decided = np.isfinite(actual) & (actual != 0) & (predicted != 0)
    hits = np.where(np.isnan(predicted), np.nan, np.sign(actual) == np.sign(predicted))
    return _mean(hits, decided)


def overall(metric: Metric, actual: FloatArray, predicted: FloatArray) -> float:
    """Return one figure over all assets: the unweighted mean of the assets' values.

    The RMSE is the root of the mean over assets of the squared RMSE. An asset without a value (no
    counted entry, or an R2 without variance) is left out. NaN where no asset has a value, or where
    a counted entry was forecast as NaN.
    """
    if np.isnan(predicted[np.isfinite(actual)]).any():
        return float("nan")
    values = metric(actual, predicted)
    values = values[~np.isnan(values)]
    if values.size == 0:
        return float("nan")
    if metric is root_mean_squared_error:
        return float(np.sqrt((values**2).mean()))
    return float(values.mean())


def written(figure: float | None, digits: int = 4) -> str:
    """Return a figure as people read it: one that is not defined is no number."""
    if figure is None or np.isnan(figure):
        return UNDEFINED
    return f"{figure:.{digits}f}"


def counted_rows(actual: FloatArray) -> IndexArray:
    """Return the number of counted entries of each asset, shape (assets,)."""
    counts: IndexArray = np.isfinite(actual).sum(axis=0)
    return counts


def mean_of_counted(entries: FloatArray) -> FloatArray:
    """Return the mean of each asset's entries, shape (assets,); NaN entries do not count."""
    return _mean(entries, np.isfinite(entries))


def _mean(values: FloatArray, counted: BoolArray) -> FloatArray:
    counts = counted.sum(axis=0)
    sums = np.where(counted, values, 0.0).sum(axis=0)
    return ratio_where(counts > 0, sums, counts)
