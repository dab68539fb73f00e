"""How much of the network's forecasts is published: what validation rows support."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.forecaster.recursive import ModelRows
from roi_forecast.linear.discount import discounted_factor
from roi_forecast.linear.fit import group_days


def counted_log_roi(rows: ModelRows) -> FloatArray:
    """Return the plain log ROI, shape (rows, assets), NaN where the asset had no bar."""
    return np.where(rows.filled, np.nan, rows.log_roi)


def supported_factor(
    forecast: FloatArray, actual: FloatArray, horizon: int = 1, least_t: float = 1.0
) -> float:
    """Return the factor of a forecast that its rows support, discounted by its own t.

    Moves over several sessions overlap with those of the rows before, so that the standard error
    grows with the square root of the horizon.

    Args:
        forecast: Log ROI, shape (rows, assets).
        actual: What it forecasts, same shape; NaN where an entry does not count.
        horizon: Sessions of a move.
        least_t: The t of a single session below which nothing is believed.
    """
    days = group_days(forecast, actual, np.ones(len(actual)))
    return discounted_factor(*days, least_t=least_t * float(np.sqrt(horizon)))


def factors_ahead(cumulated: FloatArray, rows: ModelRows, origins: range, stop: int) -> FloatArray:
    """Return the factor of what each horizon's forecast adds to the next session's.

    Args:
        cumulated: Forecasts, shape (horizons, origins, assets), log ROI.
        rows: Rows in time order.
        origins: Rows that the forecasts were made at.
        stop: No row from this one on is read.

    Returns:
        Shape (horizons,); 0 for the next session, which adds nothing to itself.
    """
    factors = np.zeros(len(cumulated))
    known = slice(origins.start, stop)
    log_rois, filled = rows.log_roi[known], rows.filled[known]
    next_session = log_rois[: len(origins)]
    for horizon, forecast in enumerate(cumulated[1:], start=2):
        later = log_roi_ahead(log_rois, filled, horizon)[: len(origins)] - next_session
        factors[horizon - 1] = supported_factor(forecast - cumulated[0], later, horizon)
    return factors
