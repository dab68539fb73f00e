"""One factor of all half-widths that learns from the misses of the rows just before.

After a shock the quantiles of 500 rows and the scales come late: too many actual values lie outside
for weeks, of all assets at once. The factor widens all intervals when more lie outside than should,
and narrows them when fewer do, in logs, as adaptive conformal inference does (Gibbs and Candès,
2021, "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 34). Misses are pooled over
assets, and older ones fade, so that the factor comes back to 1. It rests on the rows just before a
target alone, so one target by itself has the same factor as in a walk through all rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roi_forecast.array_types import FloatArray, IndexArray

RATE = 0.15
"""What a row on which all assets miss adds to the log of the factor, about."""
HALF_LIFE = 14
"""Rows after which half of what a row adds is left."""
FACTOR_MEMORY = 66
"""Rows that the factor looks back; less than a twentieth of what comes before would be left."""
FEW_ASSETS = 20
"""With so many assets a row counts half: the misses of a few say little about all."""

_KEPT = 0.5 ** (1.0 / HALF_LIFE)


def online_factors(
    scores: FloatArray, quantiles: FloatArray, stops: IndexArray, levels: Sequence[float]
) -> FloatArray:
    """Return the factor of the half-widths of all assets, for each level and target.

    Starting at 0, FACTOR_MEMORY rows before the target, the log of the factor fades and gains RATE
    times the share of the assets that miss less the share that should. An asset misses a row if its
    score exceeds its quantile times the factor up to there. An asset without a score, or whose
    quantile is 0, as it is without any move, takes no part.

    Args:
        scores: Absolute errors over scales, shape (rows, assets), NaN where there is none.
        quantiles: Of the targets, in units of the scale, shape (levels, targets, assets).
        stops: Rows of the targets, shape (targets,): nothing from them on is read.
        levels: Shares of the scores that should lie within the quantiles.

    Returns:
        Shape (levels, targets), above 0.
    """
    logs: FloatArray = np.zeros(quantiles.shape[:2])
    expected = 1.0 - np.asarray(levels)[:, np.newaxis]
    moves = quantiles > 0
    for back in range(min(FACTOR_MEMORY, int(stops.max(initial=0))), 0, -1):
        rows = stops - back
        recent = scores[np.maximum(rows, 0)]
        counted = moves & np.isfinite(recent) & (rows >= 0)[:, np.newaxis]
        missed = counted & (recent > np.exp(logs)[..., np.newaxis] * quantiles)
        counts = counted.sum(axis=-1)
        surprise = (missed.sum(axis=-1) - expected * counts) / (counts + FEW_ASSETS)
        logs = _KEPT * logs + RATE * surprise
    return np.exp(logs)


def factors_ahead(factors: FloatArray, horizon: int) -> FloatArray:
    """Return the factors of the move over several sessions.

    The log of a factor fades by the same share from each session to the next, and the move takes
    the mean over its sessions.

    Args:
        factors: Of the next session.
        horizon: Sessions, from 1 on.
    """
    faded = (1.0 - _KEPT**horizon) / (horizon * (1.0 - _KEPT))
    return np.asarray(factors**faded, dtype=np.float64)
