"""What forecasts of an ROI know, all assets together, with the uncertainty of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS, bootstrap_mean
from roi_forecast.evaluation.metrics import (
    COVERAGE,
    Metric,
    Scored,
    directional_accuracy,
    mean_of_counted,
    of_intervals,
    r2_against_zero,
    squared_loss,
)
from roi_forecast.features.rounding import varies

MIN_RANKED = 3
"""Counted assets of a session from which on their order says something."""


@dataclass(frozen=True)
class Estimate:
    """A figure with 95 % bounds.

    Attributes:
        value: NaN where nothing counts.
        lower_95: 2.5 % of the resampled values lie below; NaN where there are too few sessions.
        upper_95: 2.5 % of the resampled values lie above; likewise.
        t: The figure over its standard error; NaN likewise, and where every session is the same.
    """

    value: float
    lower_95: float = float("nan")
    upper_95: float = float("nan")
    t: float = float("nan")


def estimate(metric: Metric, scored: Scored, block_sessions: int) -> Estimate:
    """Return a figure over all entries alike, with bounds where there are two blocks of sessions.

    Args:
        metric: The figure.
        scored: The forecasts.
        block_sessions: Sessions in a block of the bootstrap.
    """
    entries = metric.paired_entries(scored)
    if len(entries) < 2 * block_sessions or not np.isfinite(entries).any():
        mean = mean_of_counted(entries.reshape(-1, 1))
        return Estimate(float(metric.of_mean(mean)[0]))
    found = bootstrap_mean(entries, block_sessions=block_sessions, widened=True)
    means = np.array([found.mean, found.lower_95, found.upper_95])
    value, *bounds = metric.of_mean(means).tolist()
    lower, upper = sorted(bounds)
    # A loss is compared with the opponent's, which is 1 on average: less of it is more skill.
    t = found.t() if metric.opponent is None else -found.t(1.0)
    return Estimate(value, lower, upper, t)


def skill_figures(scored: Scored, horizon: int = 1) -> Iterator[tuple[str, float]]:
    """Yield what a forecast of an ROI knows, by name; NaN where a figure is not defined.

    `r2_against_zero` gets its `_t`; it, `directional_accuracy` and the coverage of each interval
    their `_lower_95` and `_upper_95`; `rank_correlation`, the mean over sessions, stands with its
    `_t`. Bounds and t come from blocks of sessions, and need two blocks. Forecasts that are zero
    have no direction and no order; `directions_share` is the share of entries with a direction.

    Args:
        scored: The forecasts, in percent.
        horizon: Sessions that a forecast spans: blocks of longer ones are longer, since outcomes
            overlap.
    """
    block = max(BLOCK_SESSIONS, 2 * horizon)
    covers = (each for each in of_intervals(scored.intervals) if each.name.startswith(COVERAGE))
    for metric in (r2_against_zero, directional_accuracy, *covers):
        found = estimate(metric, scored, block)
        yield f"{metric.name}_lower_95", found.lower_95
        yield f"{metric.name}_upper_95", found.upper_95
        if metric is r2_against_zero:
            yield f"{metric.name}_t", found.t
    counted = int(scored.rows.sum())
    hits = np.isfinite(directional_accuracy.entries(scored)).sum()
    yield "directions_share", float(hits) / counted if counted else float("nan")
    correlations = daily_rank_correlations(scored.actual, scored.forecast)[:, np.newaxis]
    found = estimate(Metric("rank_correlation", lambda _: correlations), scored, block)
    yield "rank_correlation", found.value
    yield "rank_correlation_t", found.t


def r2_gain(scored: Scored, other: FloatArray) -> Estimate:
    """Return how much the R2 against zero lies above that of another forecast, with bounds.

    Args:
        scored: The forecasts.
        other: The other forecast of the same entries, shape (sessions, assets), in the same unit.
    """

    def entries(scored: Scored) -> FloatArray:
        ours, theirs = (np.square(each - scored.actual) for each in (scored.forecast, other))
        return (theirs - ours) / squared_loss(scored.actual, 0.0)

    return estimate(Metric("r2_gain", entries), scored, BLOCK_SESSIONS)


def daily_rank_correlations(actual: FloatArray, forecast: FloatArray) -> FloatArray:
    """Return Spearman's rank correlation over the assets of each session, ties sharing ranks.

    Args:
        actual: Shape (sessions, assets); NaN where an entry does not count.
        forecast: Same shape.

    Returns:
        Shape (sessions,); NaN where fewer than three assets count, or all values of a side are
        equal.
    """
    counted = np.isfinite(actual) & np.isfinite(forecast)
    sides = [np.where(counted, side, np.nan) for side in (actual, forecast)]
    defined = counted.sum(axis=1) >= MIN_RANKED
    for side in sides:
        defined &= varies(side.T)
    correlations = np.full(len(actual), np.nan)
    # Ranks cost more than anything else here: none for forecasts that are all the same.
    first, second = (_centered_ranks(side[defined], counted[defined]) for side in sides)
    norms = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    correlations[defined] = (first * second).sum(axis=1) / norms
    return correlations


def _centered_ranks(values: FloatArray, counted: BoolArray) -> FloatArray:
    """Return the ranks in each row less their mean, shape (rows, columns); 0 where none counts.

    Args:
        values: NaN where one does not count.
        counted: Where one does.
    """
    # NaN comes last, so that it takes no rank of a counted value.
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    ranks = np.empty(values.shape)
    places = np.arange(1.0, values.shape[1] + 1.0)
    np.put_along_axis(ranks, order, np.broadcast_to(places, values.shape), axis=1)
    ties = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if ties.any():
        ranks[ties] = pd.DataFrame(values[ties]).rank(axis=1).to_numpy()
    counts = counted.sum(axis=1)
    return np.where(counted, ranks - (counts[:, np.newaxis] + 1) / 2, 0.0)
