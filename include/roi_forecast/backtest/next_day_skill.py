"""Whether forecasts of the next session's return know anything, with the uncertainty of that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS, BootstrapMean, bootstrap_mean
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.features.rounding import varies


@dataclass(frozen=True)
class NextDaySkill:
    """Skill of the published next-day ROI over a walk-forward.

    Attributes:
        r2_against_zero: Mean over assets of 1 - SS_residual / SS_actual.
        r2_against_mean: Mean over assets of the same against forecasting the mean of the training
            rows, which was known at the time.
        rank_correlation: Mean over days of the rank correlation of forecasts and actual values.
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


def next_day_skill(scored: Scored, known_mean: FloatArray) -> NextDaySkill:
    """Score published forecasts of the next session.

    Signs and ranks are those of the direction, which shrinking leaves as it is unless the factor is
    0.

    Args:
        scored: The forecasts, with what gives the direction.
        known_mean: Forecast of the mean known at the time, in the unit of the forecasts.

    Raises:
        EvaluationError: There are fewer days than a block of the bootstrap has.
    """
    direction = scored.forecast if scored.direction is None else scored.direction
    correlations = daily_rank_correlations(scored.actual, direction)
    valid = correlations[np.isfinite(correlations)]
    mean = float(valid.mean()) if len(valid) else float("nan")
    error = float("nan")
    if varies(valid):
        error = float(valid.std(ddof=1) / np.sqrt(len(valid)))
    against_mean = metrics.r2_against("r2_against_mean", known_mean)
    return NextDaySkill(
        r2_against_zero=metrics.r2_against_zero.together(scored),
        r2_against_mean=against_mean.together(scored),
        rank_correlation=mean,
        rank_correlation_t=mean / error,
        rank_correlation_days=len(valid),
        directional_accuracy=_directional_accuracy(scored),
    )


def _directional_accuracy(scored: Scored) -> BootstrapMean:
    hits = metrics.directional_accuracy.entries(scored)
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
    for day in range(len(actual)):
        counted = np.isfinite(actual[day])
        first, second = actual[day, counted], forecast[day, counted]
        if counted.sum() >= 3 and varies(first) and varies(second):
            correlations[day] = spearmanr(first, second).statistic
    return correlations
