"""Block bootstrap over days: how sure a mean is when days resemble their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import ndtri, stdtrit

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import EvaluationError
from roi_forecast.features.rounding import beyond_rounding

BLOCK_SESSIONS = 20
RESAMPLES = 2000


@dataclass(frozen=True)
class BootstrapMean:
    """A mean over all entries and what resampling says of its uncertainty.

    Attributes:
        mean: Over all counted entries.
        lower_95: 2.5 % of the resampled means lie below.
        upper_95: 2.5 % of the resampled means lie above.
        upper_one_sided_95: 5 % of the resampled means lie above.
        standard_error: Standard deviation of the resampled means, corrected for their being drawn
            around the sample's own mean.
    """

    mean: float
    lower_95: float
    upper_95: float
    upper_one_sided_95: float
    standard_error: float

    def t(self, reference: float = 0.0) -> float:
        """Return the mean's distance from a value over its standard error; NaN where that is 0."""
        if not beyond_rounding(self.standard_error, abs(self.mean)):
            return float("nan")
        return (self.mean - reference) / self.standard_error


def bootstrap_mean(
    entries: FloatArray,
    *,
    seed: int = 0,
    block_sessions: int = BLOCK_SESSIONS,
    resamples: int = RESAMPLES,
    widened: bool = False,
) -> BootstrapMean:
    """Resample whole days in blocks and return the mean of the entries with its bounds.

    All assets of a day stay together, so their correlation is kept; days are drawn in blocks of
    consecutive sessions, the last day followed by the first. For a paired comparison the entries
    are the differences of two losses.

    Source: Politis and Romano, 1992, "A Circular Block-Resampling Procedure for Stationary Data".

    Args:
        entries: Shape (days, assets); NaN where an entry does not count.
        seed: Of the generator.
        block_sessions: Days in a block.
        resamples: Number of resampled series.
        widened: Whether the bounds are stretched away from the mean by `few_blocks_factor`. A
            decision on few days asks for it: the plain bounds are too narrow there.

    Raises:
        EvaluationError: There are fewer days than one block has (two, if widened), or nothing
            counts.
    """
    days = len(entries)
    counted = np.isfinite(entries)
    counts = counted.sum(axis=1)
    fewest = 2 * block_sessions if widened else block_sessions
    if days < fewest or not counts.any():
        raise EvaluationError(
            f"{days} days with {counts.sum()} counted entries cannot be resampled in blocks of "
            f"{block_sessions} sessions; take a longer period"
        )
    sums = np.where(counted, entries, 0.0).sum(axis=1)
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, days, (resamples, -(-days // block_sessions)))
    order = (starts[:, :, np.newaxis] + np.arange(block_sessions)) % days
    drawn = order.reshape(resamples, -1)[:, :days]
    totals = counts[drawn].sum(axis=1)
    means = np.divide(
        sums[drawn].sum(axis=1), totals, out=np.full(resamples, np.nan), where=totals > 0
    )
    mean = float(sums.sum() / counts.sum())
    shares = (0.025, 0.975, 0.95)
    factors = [few_blocks_factor(days, block_sessions, share) if widened else 1 for share in shares]
    bounds = mean + np.array(factors) * (np.nanquantile(means, shares) - mean)
    correction = sqrt(days / (days - block_sessions)) if days > block_sessions else float("nan")
    lower, upper, one_sided = bounds.tolist()
    return BootstrapMean(mean, lower, upper, one_sided, correction * float(np.nanstd(means)))


def few_blocks_factor(days: int, block_sessions: int, share: float) -> float:
    """Return how much wider than the resampled quantile a bound has to be where blocks are few.

    Blocks are drawn around the sample's own mean, which makes the resampled variance of
    independent days too small by 1 - block_sessions / days. And a variance estimated from few
    blocks is itself uncertain: as for batch means, Student's t with one degree of freedom less than
    blocks takes the normal's place.

    Source: Schmeiser, 1982, "Batch Size Effects in the Analysis of Simulation Output".

    Args:
        days: Days in the sample, at least two blocks.
        block_sessions: Days in a block.
        share: The quantile that the bound is, from 0 to 1 and not 0.5.
    """
    student = float(stdtrit(days / block_sessions - 1, share) / ndtri(share))
    return sqrt(days / (days - block_sessions)) * student
