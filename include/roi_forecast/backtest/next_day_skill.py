"""Whether forecasts of the next session's return know anything, with the uncertainty of that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.backtest.walk_forward import WalkForward
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS, BootstrapMean, bootstrap_mean
from roi_forecast.features.returns import to_percent
from roi_forecast.features.rounding import varies


@dataclass(frozen=True)
class NextDaySkill:
    """Skill of the published next-day ROI over a walk-forward.

    Attributes:
        r2_against_zero: Mean over assets of 1 - SS_residual / SS_actual.
        r2_against_mean: Mean over assets of the same against forecasting the mean of the training
            rows, which was known at the time.
        rank_correlation: Mean over days of the rank correlation between forecasts and what came.
        rank_correlation_t: That mean over its standard error, days taken as independent; NaN where
            it is the same on all days.
        rank_correlation_days: Days with at least three counted assets and a forecast that varies.
        directional_accuracy: Share of equal signs, with bounds by a block bootstrap over days; NaN
            where every forecast is zero.
    """

    r2_against_zero: float
    r2_against_mean: float
    rank_correlation: float
    rank_correlation_t: float
    rank_correlation_days: int
    directional_accuracy: BootstrapMean


def next_day_skill(result: WalkForward) -> NextDaySkill:
    """Score the published forecasts of a walk-forward.

    Signs and ranks are those of the implied value, which shrinking leaves as they are unless the
    factor is 0.

    Raises:
        EvaluationError: There are fewer days than a block of the bootstrap has.
    """
    actual = result.actual_pct
    correlations = daily_rank_correlations(actual, result.implied)
    valid = correlations[np.isfinite(correlations)]
    mean = float(valid.mean()) if len(valid) else float("nan")
    error = float("nan")
    if varies(valid):
        error = float(valid.std(ddof=1) / np.sqrt(len(valid)))
    published = to_percent(result.published)
    return NextDaySkill(
        r2_against_zero=metrics.overall(metrics.r2_against_zero, actual, published),
        r2_against_mean=_r2_against(actual, published, result.known_mean_pct),
        rank_correlation=mean,
        rank_correlation_t=mean / error,
        rank_correlation_days=len(valid),
        directional_accuracy=_directional_accuracy(result),
    )


def direction_hits(result: WalkForward) -> FloatArray:
    """Return 1 where the sign was right, 0 where not, NaN where either side is zero or missing.

    Shape (targets, assets).
    """
    actual, implied = result.actual_pct, result.implied
    decided = np.isfinite(actual) & (actual != 0) & (implied != 0)
    return np.where(decided, np.sign(actual) == np.sign(implied), np.nan)


def _directional_accuracy(result: WalkForward) -> BootstrapMean:
    hits = direction_hits(result)
    if len(hits) >= BLOCK_SESSIONS and not np.isfinite(hits).any():
        # The zero forecast names no direction.
        nothing = float("nan")
        return BootstrapMean(nothing, nothing, nothing, nothing)
    return bootstrap_mean(hits)


def daily_rank_correlations(actual: FloatArray, forecast: FloatArray) -> FloatArray:
    """Return Spearman's rank correlation over the assets of each day, equal values sharing ranks.

    Args:
        actual: Shape (days, assets); NaN where an entry does not count.
        forecast: Same shape.

    Returns:
        Shape (days,); NaN where fewer than three assets count, or all values of a side are equal.
    """
    correlations = np.full(len(actual), np.nan)
    for day, (came, said) in enumerate(zip(actual, forecast, strict=True)):
        counted = np.isfinite(came)
        if counted.sum() < 3:
            continue
        first, second = _ranks(came[counted]), _ranks(said[counted])
        if varies(came[counted]) and varies(said[counted]):
            correlations[day] = np.corrcoef(first, second)[0, 1]
    return correlations


def _ranks(values: FloatArray) -> FloatArray:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    ranks: FloatArray = (last - (sizes - 1) / 2)[group]
    return ranks


def _r2_against(actual: FloatArray, forecast: FloatArray, opponent: FloatArray) -> float:
    return metrics.overall(
        lambda came, said: 1.0 - metrics.relative_loss(came, said, opponent), actual, forecast
    )
