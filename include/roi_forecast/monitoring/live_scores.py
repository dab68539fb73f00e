"""How good live forecasts were, each figure with its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.evaluation import metrics
from roi_forecast.evaluation.bootstrap import bootstrap_mean
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
        estimates: By name: `mae`, `mae_of_zero` and `mae_of_persistence` in percent points;
            `r2_against_zero` and `r2_against_persistence`, the gain in squared error over these
            forecasts, every asset counting alike, but not one of which these are always right;
            `coverage_80`, `coverage_95` and `directional_accuracy`, shares.
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
    """Score forecasts against what came.

    Args:
        outcomes: At least one session.
    """
    actual, predicted = outcomes.actual, outcomes.predicted
    block = block_sessions(outcomes.horizon)
    decided = (actual != 0) & (predicted != 0) & np.isfinite(actual)
    hits = np.where(decided, np.sign(actual) == np.sign(predicted), np.nan)
    entries = {
        "mae": np.abs(predicted - actual),
        "coverage_80": outcomes.inside_80,
        "coverage_95": outcomes.inside_95,
        "directional_accuracy": hits,
    }
    estimates = {name: _mean(values, block) for name, values in entries.items()}
    for name, opponent in (
        ("zero", np.zeros(actual.shape)),
        ("persistence", outcomes.persistence),
    ):
        counted = np.where(np.isfinite(opponent), actual, np.nan)
        estimates[f"mae_of_{name}"] = Estimate(_value(np.abs(opponent - counted)))
        estimates[f"r2_against_{name}"] = _gain(counted, predicted, opponent, block)
    return LiveScores(
        outcomes.dates[0].item(),
        outcomes.dates[-1].item(),
        outcomes.sessions,
        int(np.isfinite(actual).sum()),
        estimates,
    )


def _gain(actual: FloatArray, predicted: FloatArray, opponent: FloatArray, block: int) -> Estimate:
    """Return 1 - the squared error over the opponent's, as the mean of paired differences."""
    own, theirs = (predicted - actual) ** 2, (opponent - actual) ** 2
    loss = _mean((own - theirs) / metrics.squared_loss(actual, opponent), block)
    return Estimate(-loss.value, -loss.upper_95, -loss.lower_95)


def _mean(entries: FloatArray, block: int) -> Estimate:
    if len(entries) < 2 * block or not np.isfinite(entries).any():
        return Estimate(_value(entries))
    found = bootstrap_mean(entries, block_sessions=block, widened=True)
    return Estimate(found.mean, found.lower_95, found.upper_95)


def _value(entries: FloatArray) -> float:
    return float(metrics.mean_of_counted(entries.reshape(-1, 1))[0])
