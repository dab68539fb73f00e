"""Conformal prediction: intervals from how far earlier forecasts were off, in units of a scale.

Split conformal prediction with a normalised score (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman,
2018, "Distribution-Free Predictive Inference for Regression", section 5.2), over the newest rows of
each asset by itself; `online_factor` adapts them to the rows just before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import EvaluationError
from roi_forecast.features.returns import to_percent
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.online_factor import online_factors

LEVELS = (0.80, 0.95)
TRAILING = 500
"""Most rows whose scores count."""
_WINDOWS_AT_ONCE = 16
"""Windows whose common values are sorted once."""
MIN_SCORES = 20
"""An asset with fewer scores takes those of all assets: at 95 % a rank needs 19."""

Rows = npt.NDArray[np.intp]


def conformal_quantiles(scores: FloatArray, stops: Rows, levels: Sequence[float]) -> FloatArray:
    """Return, for each asset and row, the score that the row's own stays within at the levels.

    It is the score of rank ceil((n + 1) * level) of the asset's n scores before the row, or the
    largest where n is too small. An asset with fewer than MIN_SCORES takes those of all assets.

    Args:
        scores: Errors over scales, shape (rows, assets), oldest first, NaN where there is none.
        stops: Rows whose quantiles are wanted, shape (targets,): of each only the TRAILING rows
            before it are looked at.
        levels: Shares of the scores that should lie within, from 0 to 1.

    Returns:
        Shape (levels, targets, assets), in units of the scale; NaN where all assets together have
        too few scores.
    """
    own = own_quantiles(scores, stops, levels)
    counts = trailing_counts(np.isfinite(scores), stops)
    few = counts < MIN_SCORES
    if few.any():
        enough = counts.sum(axis=1) >= MIN_SCORES
        shared = np.where(enough, pooled_quantiles(scores, stops, levels), np.nan)
        own = np.where(few, shared[..., np.newaxis], own)
    return own


def own_quantiles(scores: FloatArray, stops: Rows, levels: Sequence[float]) -> FloatArray:
    """Return the quantiles of each asset's own scores, however few: as `conformal_quantiles`."""
    starts, places = (
        np.maximum(stops - TRAILING, 0),
        _places(trailing_counts(np.isfinite(scores), stops).T, levels),
    )
    found = window_order_statistics(np.ascontiguousarray(scores.T), starts, stops, places)
    return found.transpose(2, 1, 0)


def pooled_quantiles(scores: FloatArray, stops: Rows, levels: Sequence[float]) -> FloatArray:
    """Return the quantiles of all assets' scores together, shape (levels, targets)."""
    starts, assets = np.maximum(stops - TRAILING, 0), scores.shape[1]
    counts = trailing_counts(np.isfinite(scores), stops).sum(axis=1)[np.newaxis]
    places = _places(counts, levels)
    found = window_order_statistics(scores.reshape(1, -1), starts * assets, stops * assets, places)
    return np.asarray(found[0].T, dtype=np.float64)


def window_order_statistics(
    series: FloatArray, starts: Rows, stops: Rows, places: Rows
) -> FloatArray:
    """Return the values that stand at given places of sorted windows.

    Args:
        series: Shape (series, length); NaN sorts last.
        starts: First position of each window, shape (windows,).
        stops: Position after its last, same shape.
        places: From 0, below the window's length, shape (series, windows, places).

    Returns:
        Shape (series, windows, places); NaN where a window is empty.
    """
    found = np.full(places.shape, np.nan)
    for first in range(0, len(starts), _WINDOWS_AT_ONCE):
        block = slice(first, first + _WINDOWS_AT_ONCE)
        latest = starts[block].max()
        common = slice(latest, max(stops[block].min(), latest))
        ordered = np.sort(series[:, common], axis=1)
        others = _values_beyond(series, starts[block], stops[block], common)
        for level in range(places.shape[2]):
            found[:, block, level] = _order_statistics(ordered, others, places[:, block, level])
    return found


def _values_beyond(series: FloatArray, starts: Rows, stops: Rows, common: slice) -> FloatArray:
    """Return the values of each window outside of a part that all have in common, then NaN.

    Shape (series, windows, most such values).
    """
    parts = [
        np.concatenate(
            [series[:, start : min(stop, common.start)], series[:, common.stop : stop]], axis=1
        )
        for start, stop in zip(starts, stops, strict=True)
    ]
    values = np.full((len(series), len(parts), max(part.shape[1] for part in parts)), np.nan)
    for window, part in enumerate(parts):
        values[:, window, : part.shape[1]] = part
    return values


def _order_statistics(ordered: FloatArray, others: FloatArray, places: Rows) -> FloatArray:
    """Return the values at places of sorted windows that have most of their values in common.

    With k other values, the value at place p has at least p - k common ones before it, and none
    from place p + 1 of the common ones on can come before it. So only few have to be sorted.

    Args:
        ordered: The common values, sorted, shape (series, common values).
        others: The other values of each window, shape (series, windows, other values).
        places: From 0, shape (series, windows).

    Returns:
        Shape (series, windows).
    """
    count = others.shape[2]
    lowest = np.clip(places.min(axis=1) - count, 0, None)
    width = int((places.max(axis=1) - lowest).max()) + 1
    columns = lowest[:, np.newaxis] + np.arange(width)
    # Beyond the last common value stands what sorts last.
    padded = np.pad(ordered, ((0, 0), (0, width)), constant_values=np.nan)
    few = np.take_along_axis(padded, columns, axis=1)
    found = np.empty(places.shape)
    for window in range(places.shape[1]):
        values = np.sort(np.concatenate([few, others[:, window]], axis=1), axis=1)
        chosen = (places[:, window] - lowest)[:, np.newaxis]
        found[:, window] = np.take_along_axis(values, chosen, axis=1)[:, 0]
    return found


def trailing_counts(counted: npt.NDArray[np.bool_], stops: Rows) -> Rows:
    """Return how many of the TRAILING rows before each target count, shape (targets, …)."""
    sums = np.zeros((len(counted) + 1, *counted.shape[1:]), np.intp)
    np.cumsum(counted, axis=0, out=sums[1:])
    counts: Rows = sums[stops] - sums[np.maximum(stops - TRAILING, 0)]
    return counts


def _places(counts: Rows, levels: Sequence[float]) -> Rows:
    """Return the places from 0 of the ranks ceil((n + 1) * level) of n scores, or of the largest.

    Shape (…, levels), where … is that of the counts.
    """
    counts = counts[..., np.newaxis]
    # The product is rounded before it is raised to the next whole number: 0.95 * 100 must not
    # become 96.
    ranks = np.ceil(np.round((counts + 1) * np.asarray(levels), 9)).astype(np.intp)
    places: Rows = np.clip(np.minimum(ranks, counts) - 1, 0, None)
    return places


def conformal_intervals(
    errors: FloatArray,
    scales: FloatArray,
    forecasts: FloatArray,
    targets: range,
    levels: Sequence[float] = LEVELS,
) -> tuple[Intervals, ...]:
    """Return the intervals around forecasts of target rows, one for each level.

    Args:
        errors: Absolute errors of the rows' forecasts, shape (rows, assets), log ROI; NaN where
            there is none.
        scales: Scale forecasts, shape (rows or rows + 1, assets), log ROI; NaN where there is none.
        forecasts: Forecasts of the targets, shape (targets, assets), log ROI.
        targets: Rows of `scales`. The interval of row t rests on the errors before t alone.
        levels: Shares of the intervals that should hold the actual value.

    Returns:
        Bounds in percent, shape (targets, assets).

    Raises:
        EvaluationError: There are too few errors before a target.
    """
    scores = errors / scales[: len(errors)]
    half = trailing_half_widths(scores, scales, targets, levels)
    require_known(half, scores[: targets.start])
    return intervals_around(forecasts, half, levels)


def intervals_around(
    forecasts: FloatArray, half: FloatArray, levels: Sequence[float]
) -> tuple[Intervals, ...]:
    """Return the intervals, in percent, that lie so far to each side.

    Args:
        forecasts: Shape (targets, assets), log ROI.
        half: Half of each width, shape (levels, targets, assets), log ROI.
        levels: One for each of the widths.
    """
    return tuple(
        Intervals(level, to_percent(forecasts - width), to_percent(forecasts + width))
        for level, width in zip(levels, half, strict=True)
    )


def require_known(half: FloatArray, scores_before: FloatArray) -> None:
    """Refuse half-widths that are not all known, because there were too few scores before.

    Raises:
        EvaluationError: One is missing.
    """
    if not np.isfinite(half).all():
        raise EvaluationError(
            f"too few rows to know how far forecasts are off: the first of the targets has "
            f"{int(np.isfinite(scores_before).sum())} errors of all assets before it; take an "
            "earlier start_date"
        )


def trailing_half_widths(
    scores: FloatArray, scales: FloatArray, targets: range, levels: Sequence[float]
) -> FloatArray:
    """Return half the width of each target row's interval: factor times quantile times scale.

    The interval of row t rests on the scores of the rows before t alone.

    Args:
        scores: Shape (rows, assets), see `conformal_quantiles`.
        scales: Scale forecasts, shape (rows or rows + 1, assets).
        targets: Rows of `scales`.
        levels: Shares of the intervals that should hold the actual value.

    Returns:
        Shape (levels, targets, assets), in the unit of the scale.
    """
    stops = np.arange(targets.start, targets.stop)
    quantiles = conformal_quantiles(scores, stops, levels)
    factors = online_factors(scores, quantiles, stops, levels)
    return factors[..., np.newaxis] * quantiles * scales[targets.start : targets.stop]
