"""Conformal prediction: intervals from how far earlier forecasts were off, in units of a scale.

Split conformal prediction with a normalised score (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman,
2018, "Distribution-Free Predictive Inference for Regression", section 5.2), over the newest rows of
each asset by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from roi_forecast.errors import EvaluationError
from roi_forecast.evaluation.intervals import Intervals
from roi_forecast.features.returns import to_percent
from roi_forecast.features.scaling import FloatArray

LEVELS = (0.80, 0.95)
TRAILING = 500
"""Most rows whose scores count."""
FEWEST = 20
"""An asset with fewer scores takes those of all assets: at 95 % a rank needs 19."""


def conformal_quantiles(scores: FloatArray, level: float) -> FloatArray:
    """Return, for each asset, the score that the next one stays within at the level.

    It is the score of rank ceil((n + 1) * level) of the asset's n scores, or the largest where n is
    too small.

    Args:
        scores: Errors over scales, shape (rows, assets), oldest first, NaN where there is none;
            only the last TRAILING rows are looked at.
        level: Share of the scores that should lie within, from 0 to 1.

    Returns:
        Shape (assets,), in units of the scale; NaN where all assets together have too few scores.
    """
    recent = scores[-TRAILING:]
    counts = np.isfinite(recent).sum(axis=0)
    if not len(recent):
        return np.full(len(counts), np.nan)
    own = ranked(np.sort(recent, axis=0), counts, level)
    if (counts >= FEWEST).all():
        return own
    total = counts.sum(keepdims=True)
    shared = np.full(1, np.nan)
    if total[0] >= FEWEST:
        shared = ranked(np.sort(recent, axis=None)[:, np.newaxis], total, level)
    return np.where(counts >= FEWEST, own, shared)


def ranked(ordered: FloatArray, counts: npt.NDArray[np.intp], level: float) -> FloatArray:
    """Return the score of rank ceil((n + 1) * level) of each column, or the largest.

    Args:
        ordered: Scores in ascending order, shape (rows, columns), NaN last.
        counts: Scores that are not NaN, n, shape (columns,). A column without one is NaN.
        level: Share of the scores that should lie within.

    Returns:
        Shape (columns,).
    """
    # The product is rounded before it is raised to the next whole number: 0.95 * 100 must not
    # become 96.
    ranks = np.ceil(np.round((counts + 1) * level, 9)).astype(np.intp)
    places = np.clip(np.minimum(ranks, counts) - 1, 0, None)
    found: FloatArray = np.take_along_axis(ordered, places[np.newaxis], axis=0)[0]
    return found


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
        levels: Shares of the intervals that should hold what comes.

    Returns:
        Bounds in percent, shape (targets, assets).

    Raises:
        EvaluationError: There are too few errors before a target.
    """
    scores = errors / scales[: len(errors)]
    bounds = []
    for level in levels:
        half = trailing_half_widths(scores, scales, targets, level)
        if not np.isfinite(half).all():
            before = int(np.isfinite(scores[: targets.start]).sum())
            raise EvaluationError(
                f"too few rows to know how far forecasts are off: the first of the targets has "
                f"{before} errors of all assets before it; take an earlier start_date"
            )
        lower, upper = to_percent(forecasts - half), to_percent(forecasts + half)
        bounds.append(Intervals(level, lower, upper))
    return tuple(bounds)


def trailing_half_widths(
    scores: FloatArray, scales: FloatArray, targets: range, level: float
) -> FloatArray:
    """Return half the width of each target row's interval.

    The interval of row t rests on the scores of the rows before t alone.

    Args:
        scores: Shape (rows, assets), see `conformal_quantiles`.
        scales: Scale forecasts, shape (rows or rows + 1, assets).
        targets: Rows of `scales`.
        level: Share of the intervals that should hold what came.

    Returns:
        Shape (targets, assets), in the unit of the scale.
    """
    quantiles = [conformal_quantiles(scores[:target], level) for target in targets]
    widths: FloatArray = np.stack(quantiles) * scales[targets.start : targets.stop]
    return widths
