"""Decisions of the gate that were carried out: neither they nor what they rest on change again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from roi_forecast.database.tables import gate_decisions, promotions
from roi_forecast.gate.rules import VERDICT, Ruling, Verdict


@dataclass(frozen=True)
class CarriedOut:
    """A run's decision to promote a version that was promoted since.

    Attributes:
        opponent: The version it was compared with, or None.
        verdict: The decision, as it is stored.
    """

    opponent: str | None
    verdict: Verdict


def find_carried_out(connection: Connection, run_id: str, version_id: str) -> CarriedOut | None:
    """Return what a run decided on a version, if the version was promoted for it.

    A task of such a run that is cleared finds its work done, whatever serves by now.

    Args:
        connection: Market database.
        run_id: The run that decided.
        version_id: The version that it decided on.
    """
    decision, promotion = gate_decisions.c, promotions.c
    own = (decision.run_id == run_id) & (decision.version_id == version_id)
    promoted_since = exists().where(
        promotion.version_id == decision.version_id, promotion.promoted_at >= decision.decided_at
    )
    summary = connection.execute(
        select(decision.opponent, decision.reason).where(
            own, decision.rule == VERDICT, decision.passed, promoted_since
        )
    ).one_or_none()
    if summary is None:
        return None
    rulings = connection.execute(
        select(
            decision.rule,
            decision.threshold,
            decision.observed,
            decision.passed,
            decision.reason,
            decision.decisive,
        )
        .where(own, decision.rule != VERDICT)
        .order_by(decision.decisive.desc(), decision.rule)
    )
    verdict = Verdict(
        tuple(Ruling(**row) for row in rulings.mappings()), promoted=True, reason=summary.reason
    )
    return CarriedOut(summary.opponent, verdict)
