"""The gate: explicit rules that a candidate has to pass to become champion.

A missing or undefined figure fails the rule that needs it. Every rule is judged and kept with its
threshold, what was observed and the reason, whether or not an earlier one failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roi_forecast.config import GateConfig
from roi_forecast.model.versions import ModelVersion
from roi_forecast.runs.resolved_run import ResolvedRun

VERDICT = "verdict"
MIN_REMAINING_SHARE = 0.5


@dataclass(frozen=True)
class Ruling:
    """What one rule says of a candidate.

    Attributes:
        rule: Name of the rule.
        threshold: What the observed figure is held against, or None.
        observed: The figure, or None where there is none.
        passed: Whether the rule is kept.
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
    compared: Mapping[str, float | None],
) -> Verdict:
    """Apply every rule.

    Args:
        run: The resolved run, with its tolerances.
        candidate: The version to judge.
        champion: The version that serves under the name, or None.
        opponent: The version that `compared` is about, or None.
        compared: R2 of `model` and `champion` on the rows they share; empty where not compared.
    """
    config, figures = run.config, candidate.metrics
    rulings = [
        _noise_limit(config, figures),
        _persistence(figures),
        *_champion_rules(run, candidate, champion, opponent, compared),
        *_targets(config, figures),
    ]
    failed = [ruling for ruling in rulings if ruling.decisive and not ruling.passed]
    decisive = sum(ruling.decisive for ruling in rulings)
    if not failed:
        return Verdict(tuple(rulings), promoted=True, reason=f"all {decisive} rules are kept")
    named = "; ".join(f"{ruling.rule}: {ruling.reason}" for ruling in failed)
    if config.gate_override_reason and all(ruling.can_be_overridden for ruling in failed):
        reason = f"overridden ({config.gate_override_reason}) against {named}"
        return Verdict(tuple(rulings), promoted=True, reason=reason)
    return Verdict(tuple(rulings), promoted=False, reason=named)


def _noise_limit(config: GateConfig, figures: Mapping[str, Any]) -> Ruling:
    limit = _figure(figures.get("noise_limit_r2"))
    threshold = limit - config.gate_noise_limit_tolerance
    return _at_least(
        "noise_limit",
        threshold,
        figures.get("r2"),
        f"test R2 against the noise limit {limit:.4f} less {config.gate_noise_limit_tolerance:g}",
    )


def _persistence(figures: Mapping[str, Any]) -> Ruling:
    threshold, observed = _figure(figures.get("persistence_r2")), _figure(figures.get("r2"))
    return Ruling(
        "persistence",
        _or_none(threshold),
        _or_none(observed),
        observed > threshold,
        f"test R2 {observed:.4f} has to exceed that of persistence, {threshold:.4f}",
    )


def _champion_rules(
    run: ResolvedRun,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    opponent: str | None,
    compared: Mapping[str, float | None],
) -> list[Ruling]:
    if champion is None:
        reason = f"no version serves under the model name {run.model_name} yet"
        return [Ruling("champion", None, None, passed=True, reason=reason)]
    rulings = [_real_prices(candidate, champion), _as_of_date(run, champion)]
    if candidate.is_simulated == champion.is_simulated:
        rulings.append(_remaining_universe(candidate, champion))
        rulings.append(_champion(run.config, champion, opponent, compared))
    return rulings


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


def _champion(
    config: GateConfig,
    champion: ModelVersion,
    opponent: str | None,
    compared: Mapping[str, float | None],
) -> Ruling:
    if opponent != champion.version_id:
        reason = (
            f"the candidate was compared with {opponent}, but {champion.version_id} "
            "serves now; run again"
        )
        return Ruling("champion", None, None, passed=False, reason=reason, can_be_overridden=False)
    theirs = _figure(compared.get("champion"))
    return _at_least(
        "champion",
        theirs - config.gate_champion_tolerance,
        compared.get("model"),
        f"R2 on the shared rows against the champion's {theirs:.4f} less "
        f"{config.gate_champion_tolerance:g}",
    )


def _targets(config: GateConfig, figures: Mapping[str, Any]) -> list[Ruling]:
    rulings = []
    for metric, target in (
        ("mae", config.gate_mae_target),
        ("rmse", config.gate_rmse_target),
        ("r2", config.gate_r2_target),
    ):
        observed = _figure(figures.get(metric))
        passed = observed > target if metric == "r2" else observed < target
        sign = "above" if metric == "r2" else "below"
        rulings.append(
            Ruling(
                f"{metric}_target",
                target,
                _or_none(observed),
                passed,
                f"test {metric.upper()} {observed:.4f}, target {sign} {target:g}",
                decisive=config.gate_targets_enforced,
            )
        )
    return rulings


def _at_least(rule: str, threshold: float, observed: Any, words: str) -> Ruling:
    value = _figure(observed)
    reason = f"{words}: {value:.4f}, at least {threshold:.4f} is asked"
    return Ruling(rule, _or_none(threshold), _or_none(value), value >= threshold, reason)


def _figure(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
