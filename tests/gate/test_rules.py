from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from plain_words import not_for_people
from roi_forecast.config import parse_run_config
from roi_forecast.features.leakage import LeakageAudit, LeakageCheck
from roi_forecast.gate.rules import judge
from roi_forecast.gate.ruling import Compared, Ruling, Verdict
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

GOOD = {
    "r2": 0.788,
    "mae": 0.04,
    "rmse": 0.07,
    "no_skill_r2": 0.79,
    "next_day_r2_against_zero": 0.01,
    "next_day_r2_against_zero_lower_95": -0.02,
    "next_day_r2_against_zero_upper_95": 0.04,
    "coverage_80": 0.78,
    "coverage_80_lower_95": 0.74,
    "coverage_80_upper_95": 0.81,
    "coverage_95": 0.955,
    "coverage_95_lower_95": 0.94,
    "coverage_95_upper_95": 0.965,
}


def version(version_id: str = "new", **changes: Any) -> ModelVersion:
    base = ModelVersion(
        version_id=version_id,
        model_name="reference",
        state="candidate",
        run_id="run",
        dataset_id="dataset",
        source="yahoo",
        symbols=("TCS.NS", "INFY.NS", "RELIANCE.NS", "SBIN.NS"),
        first_date=date(2022, 7, 1),
        last_date=date(2024, 12, 30),
        hyperparameters={},
        metrics=GOOD,
        path="reference/versions/new",
        checksum="",
    )
    return replace(base, **changes)


# A champion whose data end seven sessions before the run's as-of date.
OLD = version("old", last_date=date(2024, 12, 19))


def run(as_of_date: date = date(2024, 12, 31), **parameters: Any) -> ResolvedRun:
    return ResolvedRun(
        run_id="run",
        config=parse_run_config(parameters),
        model_name="reference",
        source_key="yahoo",
        start_date=date(2022, 7, 1),
        as_of_date=as_of_date,
        published_at=datetime(2025, 1, 1, tzinfo=UTC),
        resolved_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def audited(**observed: int) -> LeakageAudit:
    """An audit that found as much as is named, else nothing."""
    figures = {"scaler_fit": 0, "filling": 0, **observed}
    return LeakageAudit(
        tuple(
            LeakageCheck(name, not figure, figure, 0, f"saw {figure} rows too many")
            for name, figure in figures.items()
        )
    )


SOUND = audited()


def first(
    figures: dict[str, Any], audit: LeakageAudit | None = SOUND, **parameters: Any
) -> Verdict:
    """Judge a candidate of a name under which nothing serves."""
    return judge(run(**parameters), version(metrics=figures), None, None, Compared(), audit)


def comparison(**changes: Any) -> Compared:
    """What a comparison gives that every rule accepts."""
    kept = Compared(
        candidate_r2=0.015,
        champion_r2=0.010,
        r2_gain_upper=0.02,
        interval_gain=-0.001,
        interval_gain_upper=0.004,
        sessions=100,
        asset_drops={"A": -0.02, "B": 0.03},
    )
    return replace(kept, **changes)


def against(
    compared: Compared | None = None,
    candidate: ModelVersion | None = None,
    champion: ModelVersion | None = None,
    opponent: str | None = "old",
    of: ResolvedRun | None = None,
) -> Verdict:
    """Judge a candidate against the champion `old`."""
    return judge(
        of or run(),
        candidate or version(),
        champion or OLD,
        opponent,
        compared or comparison(),
        SOUND,
    )


def ruling(verdict: Verdict, rule: str) -> Ruling:
    return next(ruling for ruling in verdict.rulings if ruling.rule == rule)


def test_a_good_first_candidate_is_promoted() -> None:
    verdict = first(GOOD)
    assert verdict.promoted
    assert verdict.reason == "all 6 rules passed"


@pytest.mark.parametrize(
    ("figures", "broken"),
    [
        ({"r2": 0.7794}, "no_skill"),
        ({"r2": -0.04}, "no_skill"),
        ({"r2": None}, "no_skill"),
        ({"r2": float("nan")}, "no_skill"),
        ({"no_skill_r2": None}, "no_skill"),
        ({"next_day_r2_against_zero_upper_95": -0.0001}, "next_day"),
        ({"next_day_r2_against_zero_upper_95": None}, "next_day"),
        ({"next_day_r2_against_zero": float("nan")}, "next_day"),
        ({"coverage_80": 0.7, "coverage_80_upper_95": 0.749}, "coverage_80"),
        ({"coverage_80": 0.9, "coverage_80_lower_95": 0.851}, "coverage_80"),
        ({"coverage_95": 0.85, "coverage_95_upper_95": 0.899}, "coverage_95"),
        ({"coverage_95": None}, "coverage_95"),
        ({"coverage_95": 0.94, "coverage_95_upper_95": float("nan")}, "coverage_95"),
    ],
)
def test_a_broken_rule_or_a_missing_figure_rejects(figures: dict[str, Any], broken: str) -> None:
    verdict = first({**GOOD, **figures})
    assert not verdict.promoted
    failed = [each.rule for each in verdict.rulings if each.decisive and not each.passed]
    assert failed == [broken]
    assert verdict.reason == ruling(verdict, broken).reason


@pytest.mark.parametrize(("next_day_r2", "kept"), [(-0.04, True), (-0.06, False), (-0.25, False)])
@pytest.mark.parametrize("span", [2, 5, 10])
def test_the_smoothed_rule_allows_a_next_day_r2_of_its_tolerance(
    span: int, next_day_r2: float, kept: bool
) -> None:
    """Both figures come from forecasts of unpredictable returns, as a test row gives them."""
    generator = np.random.default_rng(9)
    returns = generator.normal(size=20_000 + span - 1)
    actual = np.convolve(returns, np.ones(span) / span, "valid")
    known = actual - returns[span - 1 :] / span
    noise = generator.normal(size=len(known)) * np.sqrt(-next_day_r2)
    noise -= returns[span - 1 :] * (noise @ returns[span - 1 :]) / (returns[span - 1 :] ** 2).sum()
    r2, limit = (
        1 - ((actual - known - guess / span) ** 2).sum() / ((actual - actual.mean()) ** 2).sum()
        for guess in (noise, 0.0)
    )
    verdict = first({**GOOD, "r2": r2, "no_skill_r2": limit})
    assert ruling(verdict, "no_skill").passed is kept
    assert verdict.promoted is kept


def test_the_zero_forecast_is_not_worse_than_itself() -> None:
    bounds = dict.fromkeys(
        (name for name in GOOD if name.startswith("next_day_r2_against_zero")), 0.0
    )
    assert first({**GOOD, **bounds}).promoted


def test_a_test_too_short_for_bounds_is_named_with_what_to_do() -> None:
    few = {
        f"{figure}_{side}_95": float("nan")
        for figure in ("next_day_r2_against_zero", "coverage_80", "coverage_95")
        for side in ("lower", "upper")
    }
    verdict = first({**GOOD, **few})
    for rule in ("next_day", "coverage_80", "coverage_95"):
        assert not ruling(verdict, rule).passed
        assert "fewer than 40 test sessions: raise test_share" in ruling(verdict, rule).reason
    assert "test sessions" not in ruling(first(GOOD), "next_day").reason


def test_coverage_may_be_as_far_off_as_its_sessions_leave_unsure() -> None:
    few = {"coverage_80": 0.73, "coverage_80_upper_95": 0.755}
    assert first({**GOOD, **few}).promoted
    many = {"coverage_80": 0.73, "coverage_80_upper_95": 0.745}
    assert not first({**GOOD, **many}).promoted


def test_a_candidate_that_keeps_every_rule_replaces_the_champion() -> None:
    verdict = against()
    assert verdict.promoted
    assert verdict.reason == "all 13 rules passed"


@pytest.mark.parametrize(("bound", "promoted"), [(-0.0019, True), (-0.0021, False)])
@pytest.mark.parametrize(
    ("figure", "rule"),
    [("r2_gain_upper", "champion"), ("interval_gain_upper", "champion_intervals")],
)
def test_only_a_candidate_that_is_surely_worse_than_the_champion_is_rejected(
    figure: str, rule: str, bound: float, promoted: bool
) -> None:
    verdict = against(comparison(candidate_r2=-0.01, interval_gain=-0.02, **{figure: bound}))
    assert verdict.promoted is promoted
    assert ruling(verdict, rule).passed is promoted


@pytest.mark.parametrize(("sessions", "promoted"), [(60, True), (59, False)])
def test_too_short_a_comparison_rejects(sessions: int, promoted: bool) -> None:
    assert against(comparison(sessions=sessions)).promoted is promoted


@pytest.mark.parametrize(("drop", "promoted"), [(0.09, True), (0.11, False)])
def test_one_asset_that_gets_much_worse_rejects(drop: float, promoted: bool) -> None:
    verdict = against(comparison(asset_drops={"A": -0.2, "B": drop}))
    assert verdict.promoted is promoted
    assert "B loses" in ruling(verdict, "worst_asset").reason


@pytest.mark.parametrize(
    ("last_date", "promoted"), [(date(2024, 12, 23), True), (date(2024, 12, 24), False)]
)
def test_a_promotion_has_to_wait_for_five_sessions(last_date: date, promoted: bool) -> None:
    # 2024-12-25 is a holiday: the fifth session after the 23rd is the 31st.
    verdict = against(champion=replace(OLD, last_date=last_date))
    assert verdict.promoted is promoted
    assert ruling(verdict, "pace").passed is promoted


def test_the_champion_itself_judged_again_needs_no_pause() -> None:
    again = replace(OLD, last_date=date(2024, 12, 31))
    assert against(candidate=again, champion=again).promoted


@pytest.mark.parametrize("bound", [None, float("nan")])
def test_a_champion_that_could_not_be_scored_rejects_unless_overridden(
    bound: float | None,
) -> None:
    nothing = Compared(r2_gain_upper=bound)
    assert not against(nothing).promoted
    assert not ruling(against(nothing), "champion").passed
    overridden = against(nothing, of=run(gate_override_reason="its files are damaged"))
    assert overridden.promoted
    assert "its files are damaged" in overridden.reason


def test_a_champion_that_changed_since_the_comparison_rejects() -> None:
    verdict = against(opponent="older")
    assert not verdict.promoted
    assert "old serves now; run again" in verdict.reason


def test_simulated_never_replaces_real_even_when_overridden() -> None:
    verdict = against(
        candidate=version(source="simulated"),
        opponent=None,
        of=run(gate_override_reason="because I say so"),
    )
    assert not verdict.promoted
    assert "simulated never replaces real" in verdict.reason


def test_real_replaces_simulated_without_a_comparison() -> None:
    simulated = replace(OLD, source="simulated")
    verdict = against(Compared(), champion=simulated, opponent=None)
    assert verdict.promoted
    assert all(ruling.rule != "champion" for ruling in verdict.rulings)


def test_a_run_of_the_past_never_promotes() -> None:
    past = run(as_of_date=date(2024, 12, 18), gate_override_reason="because I say so")
    verdict = against(of=past)
    assert not verdict.promoted
    assert not ruling(verdict, "as_of_date").passed


@pytest.mark.parametrize(
    ("symbols", "promoted"),
    [(("TCS.NS", "INFY.NS", "LT.NS"), True), (("TCS.NS", "LT.NS", "ITC.NS"), False)],
)
def test_half_of_the_champions_assets_must_remain(symbols: tuple[str, ...], promoted: bool) -> None:
    assert against(candidate=version(symbols=symbols)).promoted is promoted


def test_the_share_of_remaining_assets_is_of_the_champions_and_not_of_the_candidates() -> None:
    few, many = version(symbols=("TCS.NS",)), version(symbols=(*OLD.symbols, "LT.NS", "ITC.NS"))
    verdict = against(candidate=few)
    assert not verdict.promoted
    assert ruling(verdict, "universe").observed == 0.25
    # The others of a much larger candidate do not count against it.
    large = version(symbols=(*OLD.symbols[:2], *(f"NEW{number}.NS" for number in range(9))))
    assert ruling(against(candidate=large), "universe").observed == 0.5
    assert against(candidate=large).promoted
    assert ruling(against(candidate=many), "universe").observed == 1.0


LEFT_OUT = {"left_out": {"r2": {"EEE": "the actual values do not vary"}}}


def test_an_asset_that_a_figure_leaves_out_is_named_and_decides_nothing() -> None:
    verdict = first({**GOOD, **LEFT_OUT})
    assert verdict.promoted
    for rule in ("no_skill", "r2_target"):
        assert "without EEE (the actual values do not vary)" in ruling(verdict, rule).reason
    assert "without" not in ruling(verdict, "mae_target").reason


def test_of_many_assets_left_out_a_few_are_named() -> None:
    many = {"left_out": {"r2": {f"A{number}": "halted" for number in range(9)}}}
    reason = ruling(first({**GOOD, **many}), "no_skill").reason
    assert "A4 (halted) and 4 more" in reason
    assert "A5" not in reason


@pytest.mark.parametrize("figure", [None, float("nan"), float("-inf")])
def test_a_figure_that_is_not_defined_is_no_number_and_passes_nothing(figure: float | None) -> None:
    verdict = first(dict.fromkeys(GOOD, figure))
    assert not verdict.promoted
    for each in verdict.rulings:
        assert not_for_people(each.reason) == []
        assert each.observed is None or each.rule == "leakage"
    missing = against(Compared(r2_gain_upper=figure))
    assert not_for_people(missing.reason) == []
    assert ruling(missing, "champion").observed is None


def test_an_override_promotes_and_keeps_its_reason_and_the_broken_rules() -> None:
    verdict = judge(
        run(gate_override_reason="universe replaced on purpose"),
        version(symbols=("LT.NS", "ITC.NS")),
        OLD,
        "old",
        Compared(),
        SOUND,
    )
    assert verdict.promoted
    assert "universe replaced on purpose" in verdict.reason
    assert "0 of the champion's 4 assets remain" in verdict.reason


def test_a_first_candidate_is_recorded_as_judged_by_the_absolute_rules_alone() -> None:
    assert "only the absolute rules apply" in ruling(first(GOOD), "champion").reason


def test_a_finding_of_the_leakage_audit_rejects_and_is_named() -> None:
    verdict = first(GOOD, audited(filling=3))
    assert not verdict.promoted
    assert ruling(verdict, "leakage").observed == 1
    assert verdict.reason == "leakage, filling: saw 3 rows too many"


@pytest.mark.parametrize("audit", [None, audited(scaler_fit=40)])
def test_a_leak_or_a_missing_audit_cannot_be_overridden(audit: LeakageAudit | None) -> None:
    verdict = first(GOOD, audit, gate_override_reason="because I say so")
    assert not verdict.promoted
    assert not ruling(verdict, "leakage").passed


def test_targets_are_shown_but_never_decide() -> None:
    figures = {**GOOD, "mae": 0.054}
    shown = first(figures)
    assert shown.promoted
    assert not ruling(shown, "mae_target").passed
    assert not ruling(shown, "mae_target").decisive


def test_every_ruling_has_a_reason_for_people() -> None:
    for kept in (*first(GOOD).rulings, *against().rulings):
        assert len(kept.reason) > 20
