"""Conformal intervals of forecasts several sessions ahead, which never narrow with the horizon.

The error of a forecast h sessions ahead is known h rows later, and one row's errors overlap with
the next one's: 500 rows hold 500 / h moves that share no session. So an asset's own quantile is
mixed with that of all assets, the more so the fewer moves it rests on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.forecaster.conformal import (
    LEVELS,
    MIN_SCORES,
    Rows,
    conformal_quantiles,
    intervals_around,
    own_quantiles,
    pooled_quantiles,
    require_known,
    trailing_counts,
)
from roi_forecast.forecaster.intervals import Intervals
from roi_forecast.forecaster.online_factor import factors_ahead, online_factors

# Beyond rounding, so that a width in percent never comes out smaller than the one before.
_GROWTH = 1.0 + 1e-9


class HorizonErrors(NamedTuple):
    """What the intervals of one horizon h rest on.

    Attributes:
        scores: Absolute errors of the forecasts made at a row over their scales, shape (rows,
            assets); NaN where there is none. That of row t is known at row t + h - 1.
        scales: Scale forecasts of the targets, shape (targets, assets), log ROI.
        forecasts: Forecasts made at the targets, same shape, log ROI.
    """

    scores: FloatArray
    scales: FloatArray
    forecasts: FloatArray


def horizon_intervals(
    horizons: Iterable[HorizonErrors],
    targets: range,
    levels: Sequence[float] = LEVELS,
    *,
    wanted_horizons: Collection[int] | None = None,
) -> tuple[tuple[Intervals, ...], ...]:
    """Return the intervals of horizons, from 1 on, around forecasts made at the same rows.

    Horizon 1 has the intervals of `conformal_intervals`. The quantile of a farther horizon h is the
    geometric mean of two, weighted n / h : MIN_SCORES where n is the number of the asset's own
    scores: that of its own scores, and that of all assets' scores times the asset's own part, which
    is its quantile at horizon 1 over that of all assets there. With fewer than MIN_SCORES rows of
    scores the interval of horizon 1 grows with the square root of time instead.

    The factor of horizon 1 that the newest misses lead to fades with the horizon: errors of farther
    forecasts are known too late to tell of a shock.

    Then each half-width is raised to at least that of the horizon before, both as a log ROI and so
    that the width in percent does not shrink either, as it would where the forecast falls. This
    looks at all horizons from 1 on, so a horizon's interval does not depend on the others.

    Args:
        horizons: Of the horizons 1, 2, …; each is taken when the one before is done.
        targets: Rows of the scores, of which the last may be the row after the last; each the first
            session that is forecast. The intervals of row t rest on errors that were known before t
            alone.
        levels: Shares of the intervals that should hold what comes.
        wanted_horizons: The horizons to return; None: all.

    Returns:
        For each horizon one for each level, in percent, shape (targets, assets).

    Raises:
        EvaluationError: There are too few errors of horizon 1 before a target.
    """
    stops = np.arange(targets.start, targets.stop)
    result: list[tuple[Intervals, ...]] = []
    first = widest = factors = part = middle = np.empty(0)
    for horizon, (scores, scales, forecasts) in enumerate(horizons, start=1):
        if horizon == 1:
            nearest = conformal_quantiles(scores, stops, levels)
            factors = online_factors(scores, nearest, stops, levels)[..., np.newaxis]
            first = widest = factors * nearest * scales
            require_known(first, scores[: targets.start])
            of_all = pooled_quantiles(scores, stops, levels)[..., np.newaxis]
            part = np.divide(nearest, of_all, out=np.ones(nearest.shape), where=of_all > 0)
        else:
            # Moves of so many sessions, the last of which ended on the row before the target.
            known = np.maximum(stops - horizon + 1, 0)
            quantiles, is_known = _mixed_quantiles(scores, known, levels, horizon, part)
            own = factors_ahead(factors, horizon) * quantiles * scales
            half = np.where(is_known[:, np.newaxis], own, np.sqrt(horizon) * first)
            fallen = np.exp(middle - forecasts)
            least = _GROWTH * np.maximum(widest, np.arcsinh(fallen * np.sinh(widest)))
            widest = np.maximum(half, least)
        middle = forecasts
        if wanted_horizons is None or horizon in wanted_horizons:
            result.append(intervals_around(middle, widest, levels))
    return tuple(result)


def _mixed_quantiles(
    scores: FloatArray, stops: Rows, levels: Sequence[float], horizon: int, part: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the quantiles of a horizon, and for which targets there are rows enough for them."""
    finite: npt.NDArray[np.bool_] = np.isfinite(scores)
    is_known = trailing_counts(np.asarray(finite.any(axis=1)), stops) >= MIN_SCORES
    counts = trailing_counts(finite, stops)
    own = own_quantiles(scores, stops, levels)
    moves = counts / horizon
    share = np.where(counts >= MIN_SCORES, moves / (moves + MIN_SCORES), 0.0)
    together = pooled_quantiles(scores, stops, levels)[..., np.newaxis]
    mixed: FloatArray = own**share * (part * together) ** (1.0 - share)
    return mixed, is_known
