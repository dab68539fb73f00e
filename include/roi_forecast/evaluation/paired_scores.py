"""Two forecasts of the same next sessions against each other: what the gate decides by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import BootstrapMean, bootstrap_mean
from roi_forecast.evaluation.metrics import Scored, mean_of_counted
from roi_forecast.features.rounding import ratio_where

BLOCK_SESSIONS = 10
"""Two weeks: forecast errors of a day resemble those of the days before in size alone."""
MIN_SESSIONS = 2 * BLOCK_SESSIONS


@dataclass(frozen=True)
class PairedScores:
    """Candidate against champion on the same next sessions; every asset counts alike.

    Attributes:
        candidate_r2: R2 against zero of the candidate, all assets together.
        champion_r2: R2 against zero of the champion.
        r2_gain: The candidate's R2 less the champion's, with the bounds of a block bootstrap.
        interval_gain: Share of the champion's interval score by which the candidate's is lower,
            mean over the levels, with bounds likewise.
        asset_r2: R2 against zero of candidate and champion for each asset.
    """

    candidate_r2: float
    champion_r2: float
    r2_gain: BootstrapMean
    interval_gain: BootstrapMean
    asset_r2: dict[str, tuple[float, float]]


def paired_scores(candidate: Scored, champion: Scored, symbols: Sequence[str]) -> PairedScores:
    """Score two forecasts of the same targets.

    Args:
        candidate: Its forecasts with bounds, shape (sessions, assets).
        champion: Those of the champion, next to the same actual values.
        symbols: The assets, in column order.

    Raises:
        EvaluationError: There are fewer than MIN_SESSIONS sessions, or nothing counts.
    """
    actual = candidate.actual
    ours, theirs = (np.square(each.forecast - actual) for each in (candidate, champion))
    r2 = metrics.r2_against_zero
    by_asset = zip(symbols, r2.by_asset(candidate), r2.by_asset(champion), strict=True)
    return PairedScores(
        candidate_r2=r2.together(candidate),
        champion_r2=r2.together(champion),
        r2_gain=_bounded((theirs - ours) / metrics.squared_loss(actual, 0.0)),
        interval_gain=_bounded(_interval_gains(candidate, champion)),
        asset_r2={symbol: (float(own), float(other)) for symbol, own, other in by_asset},
    )


def _interval_gains(candidate: Scored, champion: Scored) -> FloatArray:
    """Return entries whose mean is the share by which the candidate's interval score is lower."""
    gains = np.zeros(candidate.actual.shape)
    for ours, theirs in zip(candidate.intervals, champion.intervals, strict=True):
        scores = theirs.score(champion.actual)
        means = np.broadcast_to(mean_of_counted(scores), gains.shape)
        gains += ratio_where(means > 0, scores - ours.score(candidate.actual), means)
    return gains / len(candidate.intervals)


def _bounded(gains: FloatArray) -> BootstrapMean:
    return bootstrap_mean(gains, block_sessions=BLOCK_SESSIONS, widened=True)
