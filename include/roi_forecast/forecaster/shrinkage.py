"""How much of a forecast is published: the factor that fits best on rows it was not fitted on."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.features.rounding import beyond_rounding, ratio_where
from roi_forecast.forecaster.recursive import ModelRows


def counted_log_roi(rows: ModelRows) -> FloatArray:
    """Return the plain log ROI, shape (rows, assets), NaN where the asset had no bar."""
    return np.where(rows.filled, np.nan, rows.log_roi)


def shrinkage_factor(implied: FloatArray, actual: FloatArray) -> float:
    """Return the factor in [0, 1] with the least squared error of factor * implied.

    Every asset counts alike: its rows are weighted by the inverse variance of the actual values. An
    asset whose price did not move, but for rounding, does not count.

    Args:
        implied: Shape (rows, assets), log ROI.
        actual: Same shape; NaN where an entry does not count.
    """
    counted = np.isfinite(actual)
    power = np.where(counted, actual, 0.0) ** 2
    scale = np.sqrt(power.sum(axis=0) / np.maximum(counted.sum(axis=0), 1))
    # A price that did not move says nothing; a scale of rounding would let it decide alone.
    moved = np.broadcast_to(beyond_rounding(scale, 1.0), counted.shape) & counted
    scales = np.broadcast_to(scale, implied.shape)
    forecast = np.nan_to_num(ratio_where(moved, implied, scales))
    target = np.nan_to_num(ratio_where(moved, actual, scales))
    square = float((forecast**2).sum())
    if square == 0.0:
        return 0.0
    return min(max(float((forecast * target).sum()) / square, 0.0), 1.0)


def horizon_shrinkage(
    cumulated: FloatArray, rows: ModelRows, origins: range, stop: int
) -> FloatArray:
    """Return the factor of each horizon that the rows before `stop` support.

    The factor in [0, 1] with the least squared error. Beyond the next session it is multiplied by
    m / (m + 1): m is the number of origins with a known move over the horizon, so many of the moves
    as share no session, and the prior that forecasts know nothing weighs as much as one more (a
    unit-information prior: Kass and Wasserman, 1995). Without a known move the factor is 0.

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
        actual = log_roi_ahead(log_rois, filled, horizon)[: len(origins)]
        factor = shrinkage_factor(forecast, actual)
        if horizon > 1:
            moves = np.count_nonzero(np.isfinite(actual).any(axis=1)) / horizon
            factor *= moves / (moves + 1.0)
        factors[horizon - 1] = factor
    return factors
