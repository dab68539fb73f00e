"""Decisions of the gate that were carried out: neither they nor what they rest on change again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from roi_forecast.database.tables import gate_decisions, promotions

VERDICT = "verdict"
"""The rule under which the decision itself is stored."""


@dataclass(frozen=True)
class CarriedOut:
    """A run's decision to promote a version that was promoted since.

    Attributes:
        opponent: The version it was compared with, or None.
        reason: Why it was promoted.
    """

    opponent: str | None
    reason: str


def find_carried_out(connection: Connection, run_id: str, version_id: str) -> CarriedOut | None:
    """Return what a run decided on a version, if the version was promoted for it.

    A task of such a run that is cleared finds its work done, whatever serves by now.

    Args:
        connection: Market database.
        run_id: The run that decided.
        version_id: The version that it decided on.
    """
    decision, promotion = gate_decisions.c, promotions.c
    promoted_since = exists().where(
        promotion.version_id == decision.version_id, promotion.promoted_at >= decision.decided_at
    )
    row = connection.execute(
        select(decision.opponent, decision.reason).where(
            decision.run_id == run_id,
            decision.version_id == version_id,
            decision.rule == VERDICT,
            decision.passed,
            promoted_since,
        )
    ).one_or_none()
    return None if row is None else CarriedOut(row.opponent, row.reason)
