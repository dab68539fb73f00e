"""How good live forecasts were, each figure with its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
from roi_forecast.evaluation.metrics import Metric, Scored
from roi_forecast.evaluation.paired_scores import BLOCK_SESSIONS
from roi_forecast.monitoring.outcomes import Outcomes


@dataclass(frozen=True)
class Estimate:
    """A figure with 95 % bounds.

    Attributes:
        value: NaN where nothing counts.
        lower_95: 2.5 % of the resampled values lie below; NaN where there are too few sessions.
        upper_95: 2.5 % of the resampled values lie above; likewise.
    """

    value: float
    lower_95: float = float("nan")
    upper_95: float = float("nan")


@dataclass(frozen=True)
class LiveScores:
    """Scores of forecasts of one horizon.

    Attributes:
        first_date: First target date.
        last_date: Last target date.
        sessions: Target sessions.
        rows: Forecasts with an outcome.
        estimates: By name: every metric of an ROI in percent and of its bounds,
            `r2_against_persistence`, and the MAE of two peers, `mae_of_zero` and
            `mae_of_persistence`.
    """

    first_date: date
    last_date: date
    sessions: int
    rows: int
    estimates: Mapping[str, Estimate]

    def figures(self) -> Iterator[tuple[str, float]]:
        """Yield names and values as rows of `evaluations`, bounds under names of their own."""
        yield "sessions", float(self.sessions)
        for name, estimate in self.estimates.items():
            yield name, estimate.value
            if not name.startswith("mae_of_"):
                yield f"{name}_lower_95", estimate.lower_95
                yield f"{name}_upper_95", estimate.upper_95


def block_sessions(horizon: int) -> int:
    """Return the sessions in a block: outcomes of longer horizons overlap for as long."""
    return max(BLOCK_SESSIONS, 2 * horizon)


def score_outcomes(outcomes: Outcomes) -> LiveScores:
    """Score forecasts of at least one session with every metric."""
    scored, persistence = outcomes.scored, outcomes.persistence
    block = block_sessions(outcomes.horizon)
    all_metrics = (
        *metrics.OF_ROI,
        *metrics.of_intervals(scored.intervals),
        metrics.r2_against("r2_against_persistence", persistence),
    )
    estimates = {metric.name: _estimate(metric, scored, block) for metric in all_metrics}
    for name, peer in (("zero", np.zeros(persistence.shape)), ("persistence", persistence)):
        errors = metrics.mean_absolute_error.entries(Scored(scored.actual, peer))
        estimates[f"mae_of_{name}"] = Estimate(_mean(errors))
    return LiveScores(
        outcomes.dates[0].item(),
        outcomes.dates[-1].item(),
        outcomes.sessions,
        int(scored.rows.sum()),
        estimates,
    )


def _estimate(metric: Metric, scored: Scored, block: int) -> Estimate:
    """Return a figure over all entries alike, with bounds where there are sessions enough."""
    entries = metric.paired_entries(scored)
    means = [_mean(entries)]
    if len(entries) >= 2 * block and np.isfinite(entries).any():
        found = bootstrap_mean(entries, block_sessions=block, widened=True)
        means = [found.mean, found.lower_95, found.upper_95]
    value, *bounds = metric.of_mean(np.array(means)).tolist()
    return Estimate(value, *sorted(bounds))


def _mean(entries: FloatArray) -> float:
    return float(metrics.mean_of_counted(entries.reshape(-1, 1))[0])
