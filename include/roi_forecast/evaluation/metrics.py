"""Error measures on arrays whose uncounted entries are NaN.

Sources: MAE, RMSE and R2 as in Hyndman and Athanasopoulos, Forecasting: Principles and Practice,
chapter 5; R2 against zero as the out-of-sample R2 of Gu, Kelly and Xiu (2020).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from roi_forecast.features.scaling import FloatArray

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
    counted = np.isfinite(actual)
    total = _mean((actual - _mean(actual, counted)) ** 2, counted)
    return _one_minus_ratio(_mean((predicted - actual) ** 2, counted), total)


def r2_against_zero(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return 1 - SS_residual / SS_actual of each asset: the gain over always forecasting 0."""
    counted = np.isfinite(actual)
    return _one_minus_ratio(_mean((predicted - actual) ** 2, counted), _mean(actual**2, counted))


def directional_accuracy(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return the share of equal signs of each asset; an entry with a zero on either side is out."""
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
    values = values[np.isfinite(values)]
    if values.size == 0:
        return float("nan")
    if metric is root_mean_squared_error:
        return float(np.sqrt((values**2).mean()))
    return float(values.mean())


def counted_rows(actual: FloatArray) -> npt.NDArray[np.intp]:
    """Return the number of counted entries of each asset, shape (assets,)."""
    counts: npt.NDArray[np.intp] = np.isfinite(actual).sum(axis=0)
    return counts


def mean_of_counted(entries: FloatArray) -> FloatArray:
    """Return the mean of each asset's entries, shape (assets,); NaN entries do not count."""
    return _mean(entries, np.isfinite(entries))


def _mean(values: FloatArray, counted: npt.NDArray[np.bool_]) -> FloatArray:
    counts = counted.sum(axis=0)
    sums = np.where(counted, values, 0.0).sum(axis=0)
    means: FloatArray = np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    return means


def _one_minus_ratio(residual: FloatArray, total: FloatArray) -> FloatArray:
    ratio: FloatArray = np.divide(
        residual, total, out=np.full(total.shape, np.nan), where=total > 0
    )
    return 1.0 - ratio
