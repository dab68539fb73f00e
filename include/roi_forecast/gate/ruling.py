"""What the gate's rules say, and what they are told of candidate and champion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STORED_DECIMALS = 6


@dataclass(frozen=True)
class Ruling:
    """What one rule says of a candidate.

    Attributes:
        rule: Name of the rule.
        threshold: What the observed figure is compared with, or None.
        observed: The figure, or None where there is none.
        passed: Whether the candidate passes the rule.
        reason: One sentence for people.
        decisive: Whether the rule decides; the others are only shown.
        can_be_overridden: Whether a person may promote against this rule.
    """

    rule: str
    threshold: float | None
    observed: float | None
    passed: bool
    reason: str
    decisive: bool = True
    can_be_overridden: bool = True


@dataclass(frozen=True)
class Compared:
    """What is known of candidate and champion on the next sessions and assets they share.

    Attributes:
        candidate_r2: R2 against zero of the candidate, all assets together, or None where there was
            no comparison.
        champion_r2: R2 against zero of the champion, or None.
        r2_gain_upper: Upper 95 % bound of the candidate's R2 less the champion's, or None.
        interval_gain: Share of the champion's interval score by which the candidate's is lower, or
            None.
        interval_gain_upper: Upper 95 % bound of it, or None.
        sessions: Shared target sessions.
        asset_drops: For each shared asset the champion's R2 less the candidate's.
        left_out: Shared assets without an R2, which are in none of these figures, with the reason.
    """

    candidate_r2: float | None = None
    champion_r2: float | None = None
    r2_gain_upper: float | None = None
    interval_gain: float | None = None
    interval_gain_upper: float | None = None
    sessions: int = 0
    asset_drops: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """All rulings and what follows from them."""

    rulings: tuple[Ruling, ...]
    promoted: bool
    reason: str


def figure_of(value: Any) -> float:
    """Return a figure as a number: NaN where it is missing."""
    return float("nan") if value is None else float(value)


def stored(value: float) -> float | None:
    """Return a figure as it is stored, for people: rounded, None where it is not defined."""
    return round(value, STORED_DECIMALS) if math.isfinite(value) else None
