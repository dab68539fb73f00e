from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from roi_forecast.config import parse_run_config
from roi_forecast.evaluation.gate import Ruling, Verdict, judge
from roi_forecast.model.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

GOOD = {"r2": 0.77, "mae": 0.04, "rmse": 0.07, "noise_limit_r2": 0.79, "persistence_r2": 0.56}


def version(version_id: str = "new", **changes: Any) -> ModelVersion:
    base = ModelVersion(
        version_id=version_id,
        model_name="reference",
        state="candidate",
        run_id="run",
        dataset_id="dataset",
        source="yahoo",
        symbols=("A", "B", "C", "D"),
        first_date=date(2022, 7, 1),
        last_date=date(2024, 12, 30),
        hyperparameters={},
        metrics=GOOD,
        path="reference/versions/new",
        checksum="",
    )
    return replace(base, **changes)


def run(as_of_date: date = date(2024, 12, 31), **parameters: Any) -> ResolvedRun:
    return ResolvedRun(
        run_id="run",
        config=parse_run_config(parameters),
        model_name="reference",
        source_key="yahoo",
        start_date=date(2022, 7, 1),
        as_of_date=as_of_date,
        extraction_symbols=("A",),
        resolved_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def first(figures: dict[str, Any], **parameters: Any) -> Verdict:
    """Judge a candidate of a name under which nothing serves."""
    return judge(run(**parameters), version(metrics=figures), None, None, {})


def against(
    candidate_r2: float | None,
    champion_r2: float | None,
    candidate: ModelVersion | None = None,
    champion: ModelVersion | None = None,
    opponent: str | None = "old",
    of: ResolvedRun | None = None,
) -> Verdict:
    """Judge a candidate against the champion `old`."""
    return judge(
        of or run(),
        candidate or version(),
        champion or version("old"),
        opponent,
        {"model": candidate_r2, "champion": champion_r2},
    )


def ruling(verdict: Verdict, rule: str) -> Ruling:
    return next(ruling for ruling in verdict.rulings if ruling.rule == rule)


def test_a_good_first_candidate_is_promoted() -> None:
    verdict = first(GOOD)
    assert verdict.promoted
    assert verdict.reason == "all 3 rules are kept"


@pytest.mark.parametrize(
    ("figures", "broken"),
    [
        ({"r2": 0.7399}, "noise_limit"),
        ({"r2": 0.56, "noise_limit_r2": 0.6}, "persistence"),
        ({"r2": -0.04}, "noise_limit"),
        ({"r2": None}, "noise_limit"),
        ({"r2": float("nan")}, "persistence"),
        ({"noise_limit_r2": None}, "noise_limit"),
        ({"persistence_r2": None}, "persistence"),
    ],
)
def test_a_broken_rule_or_a_missing_figure_rejects(figures: dict[str, Any], broken: str) -> None:
    verdict = first({**GOOD, **figures})
    assert not verdict.promoted
    assert not ruling(verdict, broken).passed
    assert broken in verdict.reason


@pytest.mark.parametrize(("r2", "kept"), [(0.75, True), (0.7499, False)])
def test_the_noise_limit_may_be_missed_by_its_tolerance(r2: float, kept: bool) -> None:
    verdict = first({**GOOD, "r2": r2, "noise_limit_r2": 0.875}, gate_noise_limit_tolerance=0.125)
    assert ruling(verdict, "noise_limit").passed is kept
    assert verdict.promoted is kept


@pytest.mark.parametrize(("candidate_r2", "promoted"), [(0.761, True), (0.759, False)])
def test_the_champion_may_be_missed_by_its_tolerance(candidate_r2: float, promoted: bool) -> None:
    verdict = against(candidate_r2, 0.77)
    assert verdict.promoted is promoted
    assert ruling(verdict, "champion").threshold == pytest.approx(0.76)


@pytest.mark.parametrize(("ours", "theirs"), [(None, 0.7), (0.7, None), (float("nan"), 0.7)])
def test_a_comparison_without_a_figure_rejects(ours: float | None, theirs: float | None) -> None:
    assert not ruling(against(ours, theirs), "champion").passed


def test_a_champion_that_changed_since_the_comparison_rejects() -> None:
    verdict = against(0.78, 0.77, opponent="older")
    assert not verdict.promoted
    assert "old serves now; run again" in verdict.reason


def test_simulated_never_replaces_real_even_when_overridden() -> None:
    verdict = against(
        0.9,
        0.7,
        candidate=version(source="simulated"),
        opponent=None,
        of=run(gate_override_reason="because I say so"),
    )
    assert not verdict.promoted
    assert "simulated never replaces real" in verdict.reason


def test_real_replaces_simulated_without_a_comparison() -> None:
    verdict = against(None, None, champion=version("old", source="simulated"), opponent=None)
    assert verdict.promoted
    assert all(ruling.rule != "champion" for ruling in verdict.rulings)


def test_a_run_of_the_past_never_promotes() -> None:
    past = run(as_of_date=date(2024, 12, 27), gate_override_reason="because I say so")
    verdict = against(0.9, 0.7, of=past)
    assert not verdict.promoted
    assert not ruling(verdict, "as_of_date").passed


@pytest.mark.parametrize(
    ("symbols", "promoted"), [(("A", "B", "X"), True), (("A", "X", "Y"), False)]
)
def test_half_of_the_champions_assets_must_remain(symbols: tuple[str, ...], promoted: bool) -> None:
    assert against(0.78, 0.77, candidate=version(symbols=symbols)).promoted is promoted


def test_an_override_promotes_and_keeps_its_reason_and_the_broken_rules() -> None:
    verdict = judge(
        run(gate_override_reason="universe replaced on purpose"),
        version(symbols=("X", "Y")),
        version("old"),
        "old",
        {"model": None, "champion": None},
    )
    assert verdict.promoted
    assert "universe replaced on purpose" in verdict.reason
    assert "universe: 0 of the champion's 4 assets remain" in verdict.reason


def test_targets_are_shown_but_decide_only_when_switched_on() -> None:
    figures = {**GOOD, "mae": 0.054}
    shown = first(figures)
    assert shown.promoted
    assert not ruling(shown, "mae_target").passed
    assert not ruling(shown, "mae_target").decisive
    enforced = first(figures, gate_targets_enforced=True)
    assert not enforced.promoted
    assert "mae_target" in enforced.reason


def test_every_ruling_has_a_reason_for_people() -> None:
    for kept in (*first(GOOD).rulings, *against(0.78, 0.77).rulings):
        assert len(kept.reason) > 20
