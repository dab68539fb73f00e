"""The gate: explicit rules that a candidate has to pass to become champion.

An asset whose own figure is not defined is left out of the overall one, by name. An overall figure
that is missing or not defined fails the rule that needs it. Every rule is judged and kept with its
threshold, what was observed and the reason, whether or not an earlier one failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from roi_forecast.evaluation.metrics import written
from roi_forecast.evaluation.overall_figures import LEFT_OUT, without
from roi_forecast.features.leakage import LeakageAudit
from roi_forecast.market.calendars import sessions
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import load_universe, reference_exchange

MIN_REMAINING_SHARE = 0.5
NO_SKILL_TOLERANCE = 0.05
"""How far the test R2 may lie below the no-skill forecast."""
CHAMPION_TOLERANCE = 0.01
"""Limit of the upper 95 % bound of how far the R2 lies below the champion's."""
ASSET_TOLERANCE = 0.1
"""How far the R2 of a single shared asset may lie below the champion's."""
MIN_COMPARED_SESSIONS = 60
"""Sessions on which neither version was fitted that a comparison with the champion needs."""
TARGETS = {"mae": 0.05, "rmse": 0.10, "r2": 0.70}
"""Targets of the training guide for the scaled test figures. They are shown and never decide: on
the reference assets even the no-skill forecast misses the MAE."""


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
    """What is known of candidate and champion on the sessions and assets they share.

    Attributes:
        candidate_r2: Overall R2 of the candidate, or None where there was no comparison.
        champion_r2: Overall R2 of the champion, or None.
        upper_loss_difference: Upper 95 % bound of how far the candidate's R2 lies below the
            champion's, or None.
        sessions: Shared target sessions.
        asset_drops: For each shared asset the champion's R2 less the candidate's.
        left_out: Shared assets without an R2, which are in none of these figures, with the reason.
    """

    candidate_r2: float | None = None
    champion_r2: float | None = None
    upper_loss_difference: float | None = None
    sessions: int = 0
    asset_drops: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """All rulings and what follows from them."""

    rulings: tuple[Ruling, ...]
    promoted: bool
    reason: str


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
        _persistence(figures),
        *_champion_rules(run, candidate, champion, opponent, compared),
        *_targets(figures),
    ]
    failed = [ruling for ruling in rulings if ruling.decisive and not ruling.passed]
    decisive = sum(ruling.decisive for ruling in rulings)
    if not failed:
        return Verdict(tuple(rulings), promoted=True, reason=f"all {decisive} rules passed")
    named = "; ".join(f"{ruling.rule}: {ruling.reason}" for ruling in failed)
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
        reason = "; ".join(f"{check.check_name}: {check.message}" for check in audit.findings)
    return Ruling("leakage", 0, found, found == 0, reason, can_be_overridden=False)


def _no_skill(figures: Mapping[str, Any]) -> Ruling:
    limit = _figure(figures.get("no_skill_r2"))
    threshold = limit - NO_SKILL_TOLERANCE
    return _at_least(
        "no_skill",
        threshold,
        figures.get("r2"),
        f"test R2 against the no-skill forecast {written(limit)} less "
        f"{NO_SKILL_TOLERANCE:g}{_without(figures, 'r2')}",
    )


def _persistence(figures: Mapping[str, Any]) -> Ruling:
    threshold, observed = _figure(figures.get("persistence_r2")), _figure(figures.get("r2"))
    return Ruling(
        "persistence",
        _or_none(threshold),
        _or_none(observed),
        observed > threshold,
        f"test R2 {written(observed)} has to exceed that of persistence, {written(threshold)}"
        f"{_without(figures, 'r2')}",
    )


def _champion_rules(
    run: ResolvedRun,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    opponent: str | None,
    compared: Compared,
) -> list[Ruling]:
    if champion is None:
        reason = (
            f"no version serves under the model name {run.model_name} yet: only the absolute rules "
            "apply"
        )
        return [Ruling("champion", None, None, passed=True, reason=reason)]
    rulings = [_real_prices(candidate, champion), _as_of_date(run, champion)]
    if candidate.is_simulated != champion.is_simulated:
        return rulings
    if candidate.version_id != champion.version_id:
        rulings.append(_pace(run, champion))
    rulings.append(_remaining_universe(candidate, champion))
    if opponent != champion.version_id:
        reason = (
            f"the candidate was compared with {opponent}, but {champion.version_id} serves now; "
            "run again"
        )
        missing = Ruling("champion", None, None, passed=False, reason=reason)
        return [*rulings, replace(missing, can_be_overridden=False)]
    return [*rulings, *_comparison_rules(compared)]


def _real_prices(candidate: ModelVersion, champion: ModelVersion) -> Ruling:
    passed = champion.is_simulated or not candidate.is_simulated
    reason = (
        f"candidate from {candidate.source}, champion from {champion.source}: "
        + ("nothing simulated replaces real prices" if passed else "simulated never replaces real")
        + ("" if candidate.is_simulated == champion.is_simulated else "; not compared further")
    )
    return Ruling("real_prices", None, None, passed, reason, can_be_overridden=False)


def _as_of_date(run: ResolvedRun, champion: ModelVersion) -> Ruling:
    passed = run.as_of_date >= champion.last_date
    reason = f"as-of date {run.as_of_date}, the champion's data end at {champion.last_date}"
    return Ruling("as_of_date", None, None, passed, reason, can_be_overridden=False)


def _remaining_universe(candidate: ModelVersion, champion: ModelVersion) -> Ruling:
    remaining = sum(symbol in candidate.symbols for symbol in champion.symbols)
    share = remaining / len(champion.symbols)
    reason = f"{remaining} of the champion's {len(champion.symbols)} assets remain"
    return Ruling("universe", MIN_REMAINING_SHARE, share, share >= MIN_REMAINING_SHARE, reason)


def _pace(run: ResolvedRun, champion: ModelVersion) -> Ruling:
    exchange = reference_exchange(load_universe().select(champion.symbols))
    passed_by = len(sessions(exchange, champion.last_date, run.as_of_date)) - 1
    required = run.config.min_sessions_between_promotions
    reason = (
        f"sessions since the champion's data ended: {passed_by}, at least {required} are required"
    )
    return Ruling("pace", required, passed_by, passed_by >= required, reason)


def _comparison_rules(compared: Compared) -> list[Ruling]:
    bound = _figure(compared.upper_loss_difference)
    ours, theirs = _figure(compared.candidate_r2), _figure(compared.champion_r2)
    asset, drop = max(
        compared.asset_drops.items(), key=lambda item: item[1], default=("no asset", float("nan"))
    )
    return [
        Ruling(
            "compared_sessions",
            MIN_COMPARED_SESSIONS,
            compared.sessions,
            compared.sessions >= MIN_COMPARED_SESSIONS,
            f"{compared.sessions} sessions are shared that neither was fitted on, at least "
            f"{MIN_COMPARED_SESSIONS} are required",
        ),
        Ruling(
            "champion",
            CHAMPION_TOLERANCE,
            _or_none(bound),
            bound < CHAMPION_TOLERANCE,
            f"R2 {written(ours)} against the champion's {written(theirs)}; with 95 % confidence it "
            f"lies less than {written(bound)} below, under {CHAMPION_TOLERANCE:g} is "
            f"required{without(compared.left_out)}",
        ),
        Ruling(
            "worst_asset",
            ASSET_TOLERANCE,
            _or_none(drop),
            drop <= ASSET_TOLERANCE,
            f"{asset} loses {written(drop)} of its R2 against the champion, at most "
            f"{ASSET_TOLERANCE:g} is allowed{without(compared.left_out)}",
        ),
    ]


def _targets(figures: Mapping[str, Any]) -> list[Ruling]:
    rulings = []
    for metric, target in TARGETS.items():
        observed = _figure(figures.get(metric))
        passed = observed > target if metric == "r2" else observed < target
        sign = "above" if metric == "r2" else "below"
        rulings.append(
            Ruling(
                f"{metric}_target",
                target,
                _or_none(observed),
                passed,
                f"test {metric.upper()} {written(observed)}, target {sign} {target:g}"
                f"{_without(figures, metric)}",
                decisive=False,
            )
        )
    return rulings


def _at_least(rule: str, threshold: float, observed: Any, words: str) -> Ruling:
    value = _figure(observed)
    reason = f"{words}: {written(value)}, at least {written(threshold)} is required"
    return Ruling(rule, _or_none(threshold), _or_none(value), value >= threshold, reason)


def _without(figures: Mapping[str, Any], name: str) -> str:
    return without((figures.get(LEFT_OUT) or {}).get(name, {}))


def _figure(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
