"""Two forecasts of the same targets against each other: the statistics that the gate decides by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean

BLOCK_SESSIONS = 10
"""Two weeks: forecast errors of a day resemble those of the days before in size alone."""
MIN_SESSIONS = 2 * BLOCK_SESSIONS


@dataclass(frozen=True)
class PairedScores:
    """Candidate against champion on the same targets.

    The loss is the squared error over the asset's own variance, so that its mean is 1 - R2 and a
    difference of losses is a difference of R2. An asset whose values do not vary has none.

    Attributes:
        candidate_r2: Overall R2 of the candidate.
        champion_r2: Overall R2 of the champion.
        upper_loss_difference: Upper 95 % bound of the mean of (candidate's loss - champion's), by a
            block bootstrap over days.
        asset_r2: R2 of candidate and champion for each asset.
    """

    candidate_r2: float
    champion_r2: float
    upper_loss_difference: float
    asset_r2: dict[str, tuple[float, float]]


def paired_scores(
    actual: FloatArray, candidate: FloatArray, champion: FloatArray, symbols: Sequence[str]
) -> PairedScores:
    """Score two forecasts of the same targets.

    Args:
        actual: Actual values, shape (sessions, assets); NaN where an entry does not count.
        candidate: Same shape and unit.
        champion: Same shape and unit.
        symbols: The assets, in column order.

    Raises:
        EvaluationError: There are fewer than MIN_SESSIONS sessions, or nothing counts.
    """
    variance = metrics.squared_loss(actual, metrics.mean_of_counted(actual))
    difference = ((candidate - actual) ** 2 - (champion - actual) ** 2) / variance
    bound = bootstrap_mean(difference, block_sessions=BLOCK_SESSIONS, widened=True)
    by_asset = zip(
        symbols, metrics.r2(actual, candidate), metrics.r2(actual, champion), strict=True
    )
    return PairedScores(
        candidate_r2=metrics.r2.overall(actual, candidate),
        champion_r2=metrics.r2.overall(actual, champion),
        upper_loss_difference=bound.upper_one_sided_95,
        asset_r2={symbol: (float(ours), float(theirs)) for symbol, ours, theirs in by_asset},
    )
