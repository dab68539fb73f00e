"""Conformal intervals of forecasts several sessions ahead, which never narrow with the horizon.

The error of a forecast h sessions ahead is known h rows later, and one row's errors overlap with
the next one's: 500 rows hold 500 / h moves that share no session. So an asset's own quantile is
mixed with that of all assets, the more so the fewer moves it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roi_forecast.evaluation.conformal import (
    FEWEST,
    LEVELS,
    TRAILING,
    conformal_intervals,
    conformal_quantiles,
    ranked,
)
from roi_forecast.evaluation.intervals import Intervals
from roi_forecast.features.returns import to_percent
from roi_forecast.features.scaling import FloatArray

# Beyond rounding, so that a width in percent never comes out smaller than the one before.
_GROWTH = 1.0 + 1e-9


def horizon_intervals(
    errors: FloatArray,
    scales: FloatArray,
    forecasts: FloatArray,
    targets: range,
    levels: Sequence[float] = LEVELS,
) -> tuple[tuple[Intervals, ...], ...]:
    """Return the intervals of every horizon, from 1 on, around forecasts made at the same rows.

    Horizon 1 has the intervals of `conformal_intervals`. The quantile of a farther horizon h is the
    geometric mean of two, weighted n / h : FEWEST where n is the number of the asset's own scores:
    that of its own scores, and that of all assets' scores times the asset's own part, which is its
    quantile at horizon 1 over that of all assets there. With fewer than FEWEST rows of scores the
    interval of horizon 1 grows with the square root of time instead.

    Then each half-width is raised to at least that of the horizon before, both as a log ROI and so
    that the width in percent does not shrink either, as it would where the forecast falls. This
    looks at all horizons from 1 on, so a horizon's interval does not depend on which are asked for.

    Args:
        errors: Absolute errors of the forecasts made at a row, shape (horizons, rows, assets), log
            ROI; NaN where there is none. That of horizon h at row t is known at row t + h - 1.
        scales: Scale forecasts, shape (horizons, rows or rows + 1, assets), log ROI.
        forecasts: Forecasts made at the targets, shape (horizons, targets, assets), log ROI.
        targets: Rows of `scales`, each the first session that is forecast. The intervals of row t
            rest on errors that were known before t alone.
        levels: Shares of the intervals that should hold what comes.

    Returns:
        For each horizon one for each level, in percent, shape (targets, assets).

    Raises:
        EvaluationError: There are too few errors of horizon 1 before a target.
    """
    nearest = conformal_intervals(errors[0], scales[0], forecasts[0], targets, levels)
    half = _half_widths(errors / scales[:, : errors.shape[1]], scales, targets, levels)
    result: list[list[Intervals]] = [list(nearest)]
    widest = half[0]
    for number in range(1, len(forecasts)):
        middle = forecasts[number]
        fallen = np.exp(forecasts[number - 1] - middle)
        least = _GROWTH * np.maximum(widest, np.arcsinh(fallen * np.sinh(widest)))
        widest = np.maximum(half[number], least)
        result.append(
            [
                Intervals(level, to_percent(middle - width), to_percent(middle + width))
                for level, width in zip(levels, widest, strict=True)
            ]
        )
    return tuple(tuple(each) for each in result)


def _half_widths(
    scores: FloatArray, scales: FloatArray, targets: range, levels: Sequence[float]
) -> FloatArray:
    """Return half of each width, shape (horizons, levels, targets, assets), log ROI."""
    widths = np.empty((len(scores), len(levels), len(targets), scores.shape[-1]))
    for place, target in enumerate(targets):
        nearest = np.stack([conformal_quantiles(scores[0, :target], level) for level in levels])
        widths[0, :, place] = nearest * scales[0, target]
        all_nearest = _quantiles_of_all(scores[0, :target], levels)
        part = np.divide(nearest, all_nearest, out=np.ones(nearest.shape), where=all_nearest > 0)
        for number in range(1, len(scores)):
            # Moves of number + 1 sessions, the last of which ended on the row before the target.
            known = scores[number, : max(0, target - number)]
            quantiles = _mixed_quantiles(known, levels, number + 1, part)
            widths[number, :, place] = (
                np.sqrt(number + 1) * widths[0, :, place]
                if quantiles is None
                else quantiles * scales[number, target]
            )
    return widths


def _mixed_quantiles(
    known: FloatArray, levels: Sequence[float], horizon: int, part: FloatArray
) -> FloatArray | None:
    recent = known[-TRAILING:]
    finite = np.isfinite(recent)
    if np.count_nonzero(finite.any(axis=1)) < FEWEST:
        return None
    counts = finite.sum(axis=0)
    ordered = np.sort(recent, axis=0)
    own = np.stack([ranked(ordered, counts, level) for level in levels])
    moves = counts / horizon
    share = np.where(counts >= FEWEST, moves / (moves + FEWEST), 0.0)
    mixed: FloatArray = own**share * (part * _quantiles_of_all(known, levels)) ** (1.0 - share)
    return mixed


def _quantiles_of_all(scores: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Return the quantile of all assets' scores together, shape (levels, 1)."""
    ordered = np.sort(scores[-TRAILING:], axis=None)[:, np.newaxis]
    counts = np.isfinite(ordered).sum(axis=0)
    return np.stack([ranked(ordered, counts, level) for level in levels])
