"""The gate: explicit rules that a candidate has to pass to become champion.

It judges what is published: the forecast of the next session and its intervals. An asset whose own
figure is not defined is left out of the overall one, by name. An overall figure that is missing or
not defined fails the rule that needs it. Every rule is judged and stored with its threshold, what
was observed and the reason, whether or not an earlier one failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from roi_forecast.evaluation.bootstrap import BLOCK_SESSIONS
from roi_forecast.evaluation.overall_figures import LEFT_OUT, without
from roi_forecast.features.leakage import LeakageAudit
from roi_forecast.forecaster.conformal import LEVELS
from roi_forecast.gate.champion_rules import champion_rules
from roi_forecast.gate.ruling import Compared, Ruling, Verdict, figure_of, stored
from roi_forecast.labels import check_label
from roi_forecast.number_text import percent, short, with_bounds, written
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

NEXT_DAY_TOLERANCE = 0.05
"""How far below 0 the next-day R2 may lie that the smoothed forecast implies."""
COVERAGE_TOLERANCE = 0.05
"""How far the coverage of the test rows may surely lie from its level, as of live forecasts: the
months of a test may be calmer or wilder than those before."""
TARGETS = {"mae": 0.05, "rmse": 0.10, "r2": 0.70}
"""Targets of the training guide for the scaled test figures. They are shown and never decide: on
the reference assets even the no-skill forecast misses the MAE."""


def judge(
    run: ResolvedRun,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    opponent: str | None,
    compared: Compared,
    audit: LeakageAudit | None,
) -> Verdict:
    """Apply every rule.

    Args:
        run: The resolved run.
        candidate: The version to judge.
        champion: The version that serves under the name, or None.
        opponent: The version that `compared` is about, or None.
        compared: What the comparison with the opponent gave.
        audit: The leakage audit of the candidate's dataset, or None where there is none.
    """
    figures, override = candidate.metrics, run.config.gate_override_reason
    rulings = [
        _leakage(audit),
        _no_skill(figures),
        _next_day(figures),
        *(_coverage(figures, level) for level in LEVELS),
        *champion_rules(run, candidate, champion, opponent, compared),
        *_targets(figures),
    ]
    failed = [ruling for ruling in rulings if ruling.decisive and not ruling.passed]
    decisive = sum(ruling.decisive for ruling in rulings)
    if not failed:
        return Verdict(tuple(rulings), promoted=True, reason=f"all {decisive} rules passed")
    named = "; ".join(ruling.reason for ruling in failed)
    if override and all(ruling.can_be_overridden for ruling in failed):
        reason = f"overridden ({override}) against {named}"
        return Verdict(tuple(rulings), promoted=True, reason=reason)
    return Verdict(tuple(rulings), promoted=False, reason=named)


def _leakage(audit: LeakageAudit | None) -> Ruling:
    if audit is None:
        reason = "its dataset was never audited for values of the future; build it again"
        return Ruling("leakage", 0, None, passed=False, reason=reason, can_be_overridden=False)
    found = len(audit.findings)
    reason = f"{len(audit.checks)} checks of its dataset found nothing taken from the future"
    if found:
        reason = "; ".join(
            f"leakage, {check_label(check.check_name)}: {check.message}" for check in audit.findings
        )
    return Ruling("leakage", 0, found, found == 0, reason, can_be_overridden=False)


def _no_skill(figures: Mapping[str, Any]) -> Ruling:
    """Judge the smoothed forecast by what it implies of the next session.

    All of it but the next session is known, so its error is the next session's over the span, and
    1 - R2 over the no-skill forecast's 1 - R2 is the ratio of the squared errors of the next
    session. A ratio of 1 + x is a next-day R2 of -x, against the no-skill forecast.
    """
    limit, observed = figure_of(figures.get("no_skill_r2")), figure_of(figures.get("r2"))
    threshold = limit - NEXT_DAY_TOLERANCE * (1.0 - limit)
    needed = "both are needed"
    if not math.isnan(observed - limit):
        needed = (
            f"at least {written(threshold)} is required, as for a next-day R2 of "
            f"{short(-NEXT_DAY_TOLERANCE)} against the no-skill forecast"
        )
    return Ruling(
        "no_skill",
        stored(threshold),
        stored(observed),
        observed >= threshold,
        f"smoothed R2 {written(observed)} on test rows, no-skill forecast {written(limit)}: "
        f"{needed}{_without(figures, 'r2')}",
    )


def _next_day(figures: Mapping[str, Any]) -> Ruling:
    name = "next_day_r2_against_zero"
    r2, lower, upper = (
        figure_of(figures.get(f"{name}{bound}")) for bound in ("", "_lower_95", "_upper_95")
    )
    return Ruling(
        "next_day",
        0.0,
        stored(upper),
        # A candidate with a forecast missing has no R2, whatever the bounds of the others.
        upper >= 0.0 and r2 == r2,
        f"next-day R2 against zero {with_bounds(r2, lower, upper)} on test rows: the upper bound "
        f"must not lie below 0{_without(figures, name)}{_too_few(r2, upper)}",
    )


def _coverage(figures: Mapping[str, Any], level: float) -> Ruling:
    name = f"coverage_{round(100 * level)}"
    share, lower, upper = (
        figure_of(figures.get(f"{name}{bound}")) for bound in ("", "_lower_95", "_upper_95")
    )
    distance = abs(share - level)
    allowed = COVERAGE_TOLERANCE + (upper - share if share < level else share - lower)
    reason = (
        f"{written(share, 3)} of the test outcomes lie inside the {percent(level)} interval: off "
        f"by {written(distance, 3)}"
    )
    if math.isnan(share):
        reason = f"no test outcome can be compared with the {percent(level)} interval"
    elif not math.isnan(allowed):
        reason += (
            f", at most {written(allowed, 3)} is allowed ({short(COVERAGE_TOLERANCE)} and the "
            "uncertainty of so many sessions)"
        )
    reason += _too_few(share, upper)
    return Ruling(name, stored(allowed), stored(distance), distance <= allowed, reason)


def _targets(figures: Mapping[str, Any]) -> list[Ruling]:
    rulings = []
    for metric, target in TARGETS.items():
        observed = figure_of(figures.get(metric))
        passed = observed > target if metric == "r2" else observed < target
        sign = "above" if metric == "r2" else "below"
        rulings.append(
            Ruling(
                f"{metric}_target",
                target,
                stored(observed),
                passed,
                f"test {metric.upper()} {written(observed)}, target {sign} {short(target)}"
                f"{_without(figures, metric)}",
                decisive=False,
            )
        )
    return rulings


def _too_few(figure: float, bound: float) -> str:
    """Return what to do where a figure has no bounds, to follow a reason; else nothing."""
    if math.isnan(figure) or not math.isnan(bound):
        return ""
    return (
        f"; there are no bounds from fewer than {2 * BLOCK_SESSIONS} test sessions: raise "
        "test_share or take an earlier start_date"
    )


def _without(figures: Mapping[str, Any], name: str) -> str:
    return without((figures.get(LEFT_OUT) or {}).get(name, {}))
