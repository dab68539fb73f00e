"""A person's approval of a promotion: what is shown for it, and storing the answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.database.tables import gate_decisions
from roi_forecast.errors import EvaluationError
from roi_forecast.labels import figure_label, observed_and_allowed, rule_label
from roi_forecast.number_text import written
from roi_forecast.registry.carried_out import VERDICT, find_carried_out
from roi_forecast.registry.versions import ModelVersion, find_version
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

APPROVAL = "approval"
"""The rule under which a person's answer is stored among the gate's."""

_FIGURES = (
    "next_day_r2_against_zero",
    "next_day_r2_against_zero_t",
    "linear_next_day_r2_against_zero",
    "gap_r2_against_zero",
    "open_to_close_r2_against_zero",
    "directional_accuracy",
    "coverage_80",
    "coverage_95",
    "r2",
    "no_skill_r2",
    "linear_r2",
    "persistence_r2",
    "mae",
    "rmse",
)


def describe_decision(engine: Engine, run: ResolvedRun, version_id: str) -> str:
    """Return, in Markdown, what a person needs to decide on a candidate.

    Args:
        engine: Market database.
        run: The run whose gate let the candidate pass.
        version_id: The candidate.

    Raises:
        EvaluationError: The gate did not judge the candidate in this run.
    """
    with engine.connect() as connection:
        version = find_version(connection, version_id)
        rulings = _rulings(connection, run.run_id, version_id)
    verdict = next((ruling for ruling in rulings if ruling["rule"] == VERDICT), None)
    if verdict is None:
        raise EvaluationError(f"version {version_id} was not judged in run {run.run_id}")
    opponent = verdict["opponent"]
    replaced = f"It would replace `{opponent}`." if opponent else "No version serves yet."
    simulated = "**Trained on simulated prices.** " if version.is_simulated else ""
    introduction = (
        f"{simulated}Version `{version_id}` of `{version.model_name}`, {len(version.symbols)} "
        f"assets, {version.first_date} to {version.last_date}. {replaced}"
    )
    lines = [
        introduction,
        "",
        f"**Gate:** {verdict['reason']}",
        "",
        *_figure_table(version),
        "",
        "| rule | observed | required | result | reason |",
        "|---|---|---|---|---|",
    ]
    lines += [
        _ruling_row(ruling) for ruling in rulings if ruling["rule"] not in (VERDICT, APPROVAL)
    ]
    return "\n".join(lines)


def record_approval(
    engine: Engine, run_id: str, version_id: str, *, approved: bool, answer: str
) -> None:
    """Store a person's answer as one more ruling; a rejection turns the verdict. Safe to repeat.

    An answer to a question that was settled before, by a promotion, changes nothing.

    Args:
        engine: Market database.
        run_id: The run whose gate let the candidate pass.
        version_id: The candidate.
        approved: Whether it may serve.
        answer: Who answered what, in one line.

    Raises:
        EvaluationError: The gate did not judge the candidate in this run.
    """
    decision = gate_decisions.c
    own = (decision.run_id == run_id) & (decision.version_id == version_id)
    with engine.begin() as connection:
        if find_carried_out(connection, run_id, version_id) is not None:
            logger.info("version %s was promoted for this run already; %s", version_id, answer)
            return
        verdict = connection.execute(
            select(decision.opponent, decision.reason).where(own, decision.rule == VERDICT)
        ).one_or_none()
        if verdict is None:
            raise EvaluationError(f"version {version_id} was not judged in run {run_id}")
        ruling = {"opponent": verdict.opponent, "passed": approved, "reason": answer}
        connection.execute(
            insert(gate_decisions)
            .values(run_id=run_id, version_id=version_id, rule=APPROVAL, decisive=True, **ruling)
            .on_conflict_do_update(constraint=gate_decisions.primary_key, set_=ruling)
        )
        reason = f"{verdict.reason.split('; approval: ')[0]}; approval: {answer}"
        connection.execute(
            update(gate_decisions)
            .where(own, decision.rule == VERDICT)
            .values(passed=approved, reason=reason)
        )
    logger.info("version %s: %s", version_id, answer)


def _rulings(connection: Connection, run_id: str, version_id: str) -> list[Mapping[str, Any]]:
    decision = gate_decisions.c
    rows = connection.execute(
        select(
            decision.rule,
            decision.opponent,
            decision.decisive,
            decision.threshold,
            decision.observed,
            decision.passed,
            decision.reason,
        )
        .where(decision.run_id == run_id, decision.version_id == version_id)
        .order_by(decision.decisive.desc(), decision.rule)
    )
    return [dict(row) for row in rows.mappings()]


def _figure_table(version: ModelVersion) -> list[str]:
    rows = [
        f"| {figure_label(name)} | {written(version.metrics[name])} |"
        for name in _FIGURES
        if version.metrics.get(name) is not None
    ]
    return ["| figure, on test rows | value |", "|---|---|", *rows]


def _ruling_row(ruling: Mapping[str, Any]) -> str:
    passed = "passed" if ruling["passed"] else "failed"
    cells = (
        rule_label(ruling["rule"]),
        *observed_and_allowed(ruling["rule"], ruling["observed"], ruling["threshold"]),
        passed if ruling["decisive"] else f"{passed}, shown only",
        ruling["reason"].replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"
