from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from plain_words import not_for_people
from roi_forecast.database.tables import gate_decisions, live_checks, price_checks, promotions
from roi_forecast.errors import EvaluationError, RegistryError
from roi_forecast.gate.approval import APPROVAL, describe_decision, record_approval
from roi_forecast.labels import rule_label
from roi_forecast.monitoring.monitor import monitor_champion
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.serving import promotion
from roi_forecast.serving.promotion import promote_model
from serving_version import Served


def decisions(served: Served, run_id: str) -> dict[str, tuple[bool, str]]:
    columns = gate_decisions.c
    with served.engine.connect() as connection:
        rows = connection.execute(
            select(columns.rule, columns.passed, columns.reason).where(columns.run_id == run_id)
        )
        return {rule: (passed, reason) for rule, passed, reason in rows}


def answer(served: Served, version_id: str, *, approved: bool, words: str) -> None:
    record_approval(served.engine, version_id, version_id, approved=approved, answer=words)


def test_description_shows_every_figure_and_every_ruling(served: Served) -> None:
    champion = served.champion
    shown = describe_decision(served.engine, served.outcome.run, champion.version_id)
    assert shown.startswith("**Trained on simulated prices.** ")
    for name in ("r2", "linear_r2", "no_skill_r2", "next_day_r2_against_zero"):
        assert f"| {champion.metrics[name]:.4f} |" in shown
    rows = shown.partition("| rule |")[2].splitlines()
    for ruling in served.outcome.verdict.rulings:
        row = next(row for row in rows if row.startswith(f"| {rule_label(ruling.rule)} |"))
        assert ruling.reason in row
        assert ("shown only" in row) is not ruling.decisive
    assert served.outcome.verdict.reason in shown


def test_stored_reasons_and_the_description_are_written_for_people(served: Served) -> None:
    monitor_champion(served.engine, served.outcome.run)
    version_id = served.champion.version_id
    texts = [describe_decision(served.engine, served.outcome.run, version_id)]
    with served.engine.connect() as connection:
        for column in (
            gate_decisions.c.reason,
            live_checks.c.reason,
            price_checks.c.message,
            promotions.c.reason,
        ):
            found = connection.scalars(select(column)).all()
            assert found, column
            texts += found
    for text in texts:
        assert not_for_people(text) == [], text


def test_rejection_turns_the_verdict_and_keeps_the_version_from_serving(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "check_loads", lambda directory: None)
    version_id = served.add_candidate("next")
    answer(served, version_id, approved=False, words="rejected by ada")
    found = decisions(served, version_id)
    assert found[APPROVAL] == (False, "rejected by ada")
    assert found[VERDICT] == (False, "judged by the test; approval: rejected by ada")
    with pytest.raises(RegistryError, match=r"was rejected .*rejected by ada"):
        promote_model(served.engine, served.models, version_id, version_id, "test")


def test_second_answer_replaces_the_first(served: Served) -> None:
    version_id = served.add_candidate("next")
    answer(served, version_id, approved=False, words="nobody answered within 12 h")
    answer(served, version_id, approved=True, words="approved by ada")
    found = decisions(served, version_id)
    assert found[APPROVAL] == (True, "approved by ada")
    assert found[VERDICT] == (True, "judged by the test; approval: approved by ada")


def test_answer_about_what_the_gate_never_judged_is_refused(served: Served) -> None:
    version_id = served.add_candidate("next")
    with served.engine.begin() as connection:
        connection.execute(delete(gate_decisions).where(gate_decisions.c.version_id == version_id))
    with pytest.raises(EvaluationError, match="was not judged in run next"):
        answer(served, version_id, approved=True, words="approved by ada")
    with pytest.raises(EvaluationError, match="was not judged"):
        describe_decision(served.engine, served.outcome.run, version_id)
