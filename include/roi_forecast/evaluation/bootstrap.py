"""Block bootstrap over days: how sure a mean is when days resemble their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roi_forecast.errors import EvaluationError
from roi_forecast.features.scaling import FloatArray

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
    """

    mean: float
    lower_95: float
    upper_95: float
    upper_one_sided_95: float


def bootstrap_mean(
    entries: FloatArray,
    *,
    seed: int = 0,
    block_sessions: int = BLOCK_SESSIONS,
    resamples: int = RESAMPLES,
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

    Raises:
        EvaluationError: There are fewer days than one block has, or nothing counts.
    """
    days = len(entries)
    counted = np.isfinite(entries)
    counts = counted.sum(axis=1)
    if days < block_sessions or not counts.any():
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
    lower, one_sided, upper = np.nanquantile(means, [0.025, 0.95, 0.975])
    return BootstrapMean(
        float(sums.sum() / counts.sum()), float(lower), float(upper), float(one_sided)
    )
