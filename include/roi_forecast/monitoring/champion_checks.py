"""Whether a champion's live figures are below their limits, with their uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from roi_forecast.evaluation.skill import Estimate
from roi_forecast.forecaster.conformal import LEVELS
from roi_forecast.labels import measure_label
from roi_forecast.monitoring.live_scores import LiveScores, block_sessions
from roi_forecast.number_text import short, written

Scope = Literal["version", "model_name"]
State = Literal["passed", "below", "too_few"]

LIVE_WINDOW_SESSIONS = 60
"""Newest target sessions on which a champion is judged."""
MIN_LIVE_SESSIONS = 30
"""Target sessions with outcomes that a judgement needs."""
LIMITS = {
    **{f"coverage_{round(100 * level)}": round(level - 0.05, 2) for level in LEVELS},
    "r2_against_zero": -0.02,
    "r2_against_persistence": 0.0,
}
"""The limit of each measure. benchmarks/alert_power.py measures how often chance raises an alert
with these limits and numbers of sessions."""


@dataclass(frozen=True)
class ChampionCheck:
    """The comparison of one live figure of a champion with its limit.

    Attributes:
        horizon: Reference sessions from the as-of to the target date.
        measure: Name of the figure.
        scope: `version`: the champion's own forecasts. `model_name`: those of every version that
            served under the name, if the champion has too few of its own.
        sessions: Number of target sessions that count.
        threshold: The limit.
        observed: The figure, or None.
        upper_95: Its upper 95 % bound, or None.
        state: `below` if `upper_95` is below the threshold, so that chance alone does not explain
            the figure; `too_few` without enough sessions; else `passed`.
        reason: One sentence for people.
    """

    horizon: int
    measure: str
    scope: Scope
    sessions: int
    threshold: float
    observed: float | None
    upper_95: float | None
    state: State
    reason: str


def judged_sessions(horizon: int) -> int:
    """Return how many of the newest target sessions are judged: at least three blocks."""
    return max(LIVE_WINDOW_SESSIONS, 3 * block_sessions(horizon))


def needed_sessions(horizon: int) -> int:
    """Return how many target sessions a judgement needs: at least two blocks."""
    return max(MIN_LIVE_SESSIONS, 2 * block_sessions(horizon))


def check_champion(
    horizon: int, own: LiveScores | None, served: LiveScores | None
) -> tuple[ChampionCheck, ...]:
    """Compare live scores with their limits.

    A champion is often replaced before it has enough forecasts of its own. Then the forecasts of
    every version that served under its name are judged.

    Args:
        horizon: Horizon of the forecasts.
        own: Scores of the champion's newest live forecasts, or None without any outcome.
        served: Scores of the newest live forecasts under its name, or None.
    """
    needed = needed_sessions(horizon)
    scope: Scope = "version"
    scores = own
    if own is None or own.sessions < needed:
        scope, scores = "model_name", served
    checks = []
    for measure, threshold in LIMITS.items():
        sessions = scores.sessions if scores else 0
        estimate = scores.estimates[measure] if scores else Estimate(math.nan)
        observed, upper = estimate.value, estimate.upper_95
        state: State = "below" if upper < threshold else "passed"
        whose = "its own" if scope == "version" else "the name's"
        reason = (
            f"{measure_label(measure, horizon)} {written(observed)}, with 97.5 % confidence below "
            f"{written(upper)}, limit {short(threshold)}, over {whose} newest {sessions} sessions"
        )
        if sessions < needed or math.isnan(upper):
            state = "too_few"
            reason = f"{sessions} live sessions have an outcome; a judgement needs {needed}"
        checks.append(
            ChampionCheck(
                horizon=horizon,
                measure=measure,
                scope=scope,
                sessions=sessions,
                threshold=threshold,
                observed=_or_none(observed),
                upper_95=_or_none(upper),
                state=state,
                reason=reason,
            )
        )
    return tuple(checks)


def _or_none(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
