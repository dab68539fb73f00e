"""ROI, log ROI, its smoothing, and the return that a forecast implies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from roi_forecast.array_types import BoolArray, FloatArray


def roi(prices: FloatArray) -> FloatArray:
    """Return (price_t - price_{t-1}) / price_{t-1}, a fraction.

    Args:
        prices: Carried prices, shape (rows, assets), positive.

    Returns:
        Shape (rows - 1, assets); row i belongs to price row i + 1.
    """
    return prices[1:] / prices[:-1] - 1.0


def log_roi(prices: FloatArray) -> FloatArray:
    """Return log1p of the ROI as a fraction, shape (rows - 1, assets), unscaled."""
    return np.log1p(roi(prices))


def smooth(log_rois: FloatArray, span: int) -> FloatArray:
    """Return the mean of the last `span` log ROIs.

    Args:
        log_rois: Shape (rows, assets), unscaled.
        span: Sessions in the mean; 1 changes nothing.

    Returns:
        Shape (rows - span + 1, assets); row i ends with log ROI row i + span - 1. Each mean is
        computed from its own values, so no rounding error accumulates from row to row.
    """
    means: FloatArray = sliding_window_view(log_rois, span, axis=0).mean(axis=-1)
    return means


def log_roi_and_smoothed(prices: FloatArray, span: int) -> tuple[FloatArray, FloatArray]:
    """Return the log ROI and the smoothed log ROI of the rows on which both are defined.

    Args:
        prices: Carried prices, shape (rows, assets), positive; more rows than `span`.
        span: Sessions in the mean.

    Returns:
        Two arrays of shape (rows - span, assets), unscaled; row i belongs to price row i + span.
    """
    log_rois = log_roi(prices)
    return log_rois[span - 1 :], smooth(log_rois, span)


def implied_log_roi(smoothed_next: FloatArray, known: FloatArray, span: int) -> FloatArray:
    """Return the next session's log ROI that a forecast of the smoothed log ROI implies.

    With `known` the sum of the last span - 1 log ROIs, s = (r_next + known) / span, and so
    r_next = span * s - known.

    Args:
        smoothed_next: Forecasts of the smoothed log ROI, shape (targets, assets), unscaled.
        known: `known_sum` of the same targets, shape (targets, assets).
        span: The smoothing.
    """
    return span * smoothed_next - known


def known_sum(log_rois: FloatArray, targets: range, span: int) -> FloatArray:
    """Return the sum of the span - 1 log ROIs before each target row.

    Args:
        log_rois: Shape (rows, assets), unscaled.
        targets: Consecutive target rows; the last may be `rows`, the session after the data.
        span: The smoothing.

    Returns:
        Shape (targets, assets), unscaled; zeros where span is 1.
    """
    if span == 1:
        return np.zeros((len(targets), log_rois.shape[1]))
    first, last = targets.start - span + 1, targets.stop - 1
    sums: FloatArray = sliding_window_view(log_rois[first:last], span - 1, axis=0).sum(axis=-1)
    return sums


def log_roi_ahead(log_rois: FloatArray, filled: BoolArray, horizon: int) -> FloatArray:
    """Return the log ROI over `horizon` sessions, of which each row's own is the first.

    Args:
        log_rois: Shape (rows, assets), unscaled.
        filled: Whether the asset had no bar or is halted, same shape.
        horizon: Sessions from the previous row, the last known one, to the target row.

    Returns:
        Shape (rows, assets), unscaled; row t is the sum of the rows t to t + horizon - 1. NaN where
        the target row lies after the last row or is filled.
    """
    ahead = np.full(log_rois.shape, np.nan)
    whole = len(log_rois) - horizon + 1
    if whole > 0:
        sums = log_rois[:whole].copy()
        for later in range(1, horizon):
            sums += log_rois[later : later + whole]
        sums[filled[horizon - 1 :]] = np.nan
        ahead[:whole] = sums
    return ahead


def smoothed_ahead(
    cumulated: FloatArray, recent: FloatArray, span: int, horizons: Sequence[int] | None = None
) -> FloatArray:
    """Return the smoothed log ROI of sessions ahead that cumulated forecasts imply.

    Args:
        cumulated: Log ROI from the last known row to each session, shape (sessions, …, assets).
        recent: The last span - 1 known log ROIs, shape (span - 1, …, assets).
        span: The smoothing.
        horizons: The sessions wanted, from 1 on; None: all.

    Returns:
        Shape (wanted sessions, …, assets), unscaled: the mean of the last `span` log ROIs, known or
        forecast.
    """
    known = np.concatenate([np.zeros((1, *cumulated.shape[1:])), recent.cumsum(axis=0)])

    def level(session: int) -> FloatArray:
        found: FloatArray = (
            known[session + span - 1] if session < 1 else known[-1] + cumulated[session - 1]
        )
        return found

    wanted = range(1, len(cumulated) + 1) if horizons is None else horizons
    return np.stack([(level(session) - level(session - span)) / span for session in wanted])


def to_percent(log_rois: npt.ArrayLike) -> FloatArray:
    """Return log ROIs as returns in percent: 100 * expm1."""
    return np.asarray(100.0 * np.expm1(log_rois), dtype=np.float64)
