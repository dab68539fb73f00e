"""How good live forecasts were, each figure with its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.metrics import Scored
from roi_forecast.evaluation.paired_scores import BLOCK_SESSIONS
from roi_forecast.evaluation.scores import GAP, OPEN_TO_CLOSE
from roi_forecast.evaluation.skill import Estimate, estimate
from roi_forecast.monitoring.outcomes import Outcomes

ROI = "roi_pct"
"""Target of the ROI from the as-of to the target date, whatever the horizon."""


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
        parts: For the opening gap and the ROI from there to the close, by target, every metric of
            an ROI; empty where no forecast has parts.
        missing_context: Forecasts made without a bar of a context asset that was due.
    """

    first_date: date
    last_date: date
    sessions: int
    rows: int
    estimates: Mapping[str, Estimate]
    parts: Mapping[str, Mapping[str, Estimate]]
    missing_context: int

    def figures(self) -> Iterator[tuple[str, str, float]]:
        """Yield targets, names and values as rows of `evaluations`, bounds under own names."""
        yield ROI, "sessions", float(self.sessions)
        yield ROI, "missing_context", float(self.missing_context)
        for target, estimates in {ROI: self.estimates, **self.parts}.items():
            for name, found in estimates.items():
                yield target, name, found.value
                if not name.startswith("mae_of_"):
                    yield target, f"{name}_lower_95", found.lower_95
                    yield target, f"{name}_upper_95", found.upper_95


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
    estimates = {metric.name: estimate(metric, scored, block) for metric in all_metrics}
    for name, peer in (("zero", np.zeros(persistence.shape)), ("persistence", persistence)):
        errors = metrics.mean_absolute_error.entries(Scored(scored.actual, peer))
        estimates[f"mae_of_{name}"] = Estimate(_mean(errors))
    parts = {GAP: outcomes.scored_gap, OPEN_TO_CLOSE: outcomes.scored_open_to_close}
    return LiveScores(
        outcomes.dates[0].item(),
        outcomes.dates[-1].item(),
        outcomes.sessions,
        int(scored.rows.sum()),
        estimates,
        {
            target: {metric.name: estimate(metric, part, block) for metric in metrics.OF_ROI}
            for target, part in parts.items()
            if part.rows.any()
        },
        int((outcomes.missing_context > 0).sum()),
    )


def _mean(entries: FloatArray) -> float:
    return float(metrics.mean_of_counted(entries.reshape(-1, 1))[0])
