"""Whether a champion's live forecasts are below their limits, as far as that can be known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from roi_forecast.forecaster.conformal import LEVELS
from roi_forecast.monitoring.live_scores import LiveScores, block_sessions

Scope = Literal["version", "model_name"]
State = Literal["kept", "below", "too_few"]

LIVE_WINDOW_SESSIONS = 60
"""Newest target sessions on which a champion is judged."""
MIN_LIVE_SESSIONS = 30
"""Target sessions with outcomes that a judgement needs."""
LIMITS = {
    **{f"coverage_{round(100 * level)}": level - 0.05 for level in LEVELS},
    "r2_against_zero": -0.02,
    "r2_against_persistence": 0.0,
}
"""By measure: the figure below which a champion is reported. They and the sessions above decide how
often chance alone raises an alert, which benchmarks/alert_power.py measures."""


@dataclass(frozen=True)
class ChampionCheck:
    """What one measure says of a champion.

    Attributes:
        horizon: Reference sessions from the as-of to the target date.
        measure: Name of the figure.
        scope: `version`: the champion's own forecasts; `model_name`: whatever served under the
            name, where the champion has too few of its own.
        sessions: Target sessions counted.
        threshold: The limit.
        observed: The figure, or None where there is none.
        upper_95: Its upper bound, or None. Only a bound below the limit is reported: a figure that
            chance alone could have put there is not.
        state: `kept`, `below` or `too_few`.
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
    """Hold live scores against their limits.

    The champion's own forecasts are judged where they are enough; a champion is often replaced
    before they are, and then what served under its name is.

    Args:
        horizon: Of the forecasts.
        own: Scores of the champion's newest live forecasts, or None where it has no outcome yet.
        served: Scores of the newest live forecasts under its name, or None.
    """
    needed = needed_sessions(horizon)
    enough = own is not None and own.sessions >= needed
    scope: Scope = "version" if enough else "model_name"
    scores = own if enough else served
    return tuple(
        _check(horizon, measure, scope, scores, threshold, needed)
        for measure, threshold in LIMITS.items()
    )


def _check(
    horizon: int,
    measure: str,
    scope: Scope,
    scores: LiveScores | None,
    threshold: float,
    needed: int,
) -> ChampionCheck:
    sessions = scores.sessions if scores is not None else 0
    observed = upper = float("nan")
    if scores is not None:
        estimate = scores.estimates[measure]
        observed, upper = estimate.value, estimate.upper_95
    state: State = "kept"
    if sessions < needed or math.isnan(upper):
        state = "too_few"
        reason = f"{sessions} live sessions have an outcome, {needed} are needed to judge"
    else:
        if upper < threshold:
            state = "below"
        whose = "its own" if scope == "version" else "the name's"
        reason = (
            f"{measure} {observed:.4f}, with 97.5 % confidence under {upper:.4f}, limit "
            f"{threshold:.4f}, over {whose} newest {sessions} sessions"
        )
    return ChampionCheck(
        horizon,
        measure,
        scope,
        sessions,
        threshold,
        _or_none(observed),
        _or_none(upper),
        state,
        reason,
    )


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
