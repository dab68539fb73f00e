"""The words for stored names: metrics, targets, predictors, rules, measures and checks.

A name without an entry is shown with spaces for underscores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from roi_forecast.number_text import short, written

BOUNDS = {"_lower_95": ", lower 95 % bound", "_upper_95": ", upper 95 % bound", "_t": ", t"}

METRICS = {
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R2",
    "r2_against_zero": "R2 against zero",
    "r2_against_persistence": "R2 against persistence",
    "directional_accuracy": "direction right",
    "directions_share": "share with a direction",
    "coverage_80": "80 % coverage",
    "coverage_95": "95 % coverage",
    "interval_score_80": "80 % interval score",
    "interval_score_95": "95 % interval score",
    "rank_correlation": "rank correlation",
    "r2_gain_over_linear": "R2 that the network adds",
    "r2_gain": "R2 gained on the champion",
    "interval_gain": "interval score gained on the champion",
    "mae_of_zero": "MAE of zero",
    "mae_of_persistence": "MAE of persistence",
    "sessions": "sessions",
    "missing_context": "forecasts without a due context bar",
}
"""Of one target; see the targets."""

FIGURES = {
    **{name: f"{METRICS[name]} of the scaled smoothed ROI" for name in ("r2", "mae", "rmse")},
    "smoothed_r2": "smoothed R2",
    "linear_r2": "smoothed R2 of the linear part",
    "no_skill_r2": "smoothed R2 of the no-skill forecast",
    "persistence_r2": "smoothed R2 of persistence",
    "zero_r2": "smoothed R2 of zero",
    "train_r2": "smoothed R2, training rows",
    "validation_r2": "smoothed R2, validation rows",
    "train_no_skill_r2": "smoothed R2 of the no-skill forecast, training rows",
    "validation_no_skill_r2": "smoothed R2 of the no-skill forecast, validation rows",
    "next_day_r2_against_zero": "next-day R2 against zero",
    "linear_next_day_r2_against_zero": "next-day R2 against zero of the linear part",
    "gap_r2_against_zero": "R2 against zero of the opening gap",
    "open_to_close_r2_against_zero": "R2 against zero from open to close",
    "network_r2_gain": "next-day R2 that the network adds",
    "network_factor": "share of the network that is published",
    "next_day_mae_pct": "next-day MAE in percentage points",
    "zero_next_day_mae_pct": "next-day MAE of zero in percentage points",
    "fit_verdict": "fit",
    "fit_advice": "advice on the fit",
    "left_out": "assets left out",
    "evaluation_seconds": "seconds of the evaluation",
}
"""Overall figures of a version or a backtest, next to the metrics."""

TARGETS = {
    "smoothed_scaled": "smoothed ROI, scaled",
    "smoothed_pct": "smoothed ROI",
    "next_day_pct": "next-day ROI",
    "next_day_common": "next-day ROI, shared with the champion",
    "gap_pct": "opening gap",
    "open_to_close_pct": "open to close",
    "roi_pct": "ROI",
}

PREDICTORS = {
    "linear": "linear part",
    "no_skill": "no-skill forecast",
    "served": "every version that served",
}

SPLITS = {"train": "training rows", "validation": "validation rows", "test": "test rows"}

CHECKS = {
    "as_of_session": "session of the as-of date",
    "off_calendar_bars": "bars outside the calendar",
    "non_positive_price": "price not above zero",
}


@dataclass(frozen=True)
class RuleLabel:
    """The words for a rule of the gate.

    Attributes:
        label: What the rule is about.
        observed: What was observed, with `{}` for the number.
        allowed: What is required, likewise.
        digits: Decimals of both numbers; None: as many as they need.
    """

    label: str
    observed: str = "{}"
    allowed: str = "{}"
    digits: int | None = 4


_LOSS = {
    f"{metric}_target": RuleLabel(f"{label} of the training guide", allowed=f"{side} {{}}")
    for metric, label, side in (
        ("mae", "MAE", "below"),
        ("rmse", "RMSE", "below"),
        ("r2", "R2", "above"),
    )
}
RULES = {
    "leakage": RuleLabel("leakage", "{} found", "{} allowed", None),
    "no_skill": RuleLabel("no-skill forecast", "smoothed R2 {}", "at least {}"),
    "next_day": RuleLabel("next-day R2 against zero", "upper bound {}", "at least {}"),
    "coverage_80": RuleLabel("80 % coverage", "off by {}", "at most {}", 3),
    "coverage_95": RuleLabel("95 % coverage", "off by {}", "at most {}", 3),
    "real_prices": RuleLabel("real prices"),
    "as_of_date": RuleLabel("as-of date"),
    "universe": RuleLabel("champion's assets that remain", "share {}", "at least {}", 2),
    "pace": RuleLabel("sessions since the last promotion", "{}", "at least {}", None),
    "compared_sessions": RuleLabel("sessions shared with the champion", "{}", "at least {}", None),
    "champion": RuleLabel("next-day R2 next to the champion's", "upper bound {}", "at least {}"),
    "champion_intervals": RuleLabel(
        "interval score next to the champion's", "upper bound {}", "at least {}"
    ),
    "worst_asset": RuleLabel("asset that loses most R2", "loses {}", "at most {}"),
    **_LOSS,
    "approval": RuleLabel("approval"),
    "verdict": RuleLabel("verdict"),
}


def metric_label(name: str) -> str:
    """Return the words for a metric of one target, or for a bound of it."""
    return _with_suffix(METRICS, name)


def figure_label(name: str) -> str:
    """Return the words for an overall figure, which names its target, or for a bound of it."""
    return _with_suffix({**METRICS, **FIGURES}, name)


def target_label(name: str) -> str:
    """Return the words for a target."""
    horizon = re.fullmatch(r"horizon_(\d+)_pct", name)
    return f"ROI {horizon[1]} sessions ahead" if horizon else _found(TARGETS, name)


def predictor_label(name: str) -> str:
    """Return the words for what forecast."""
    return _found(PREDICTORS, name)


def split_label(name: str) -> str:
    """Return the words for a part of the rows."""
    return _found(SPLITS, name)


def check_label(name: str) -> str:
    """Return the words for a check of prices or of a dataset."""
    return _found(CHECKS, name)


def rule_label(name: str) -> str:
    """Return the words for a rule of the gate."""
    rule = RULES.get(name)
    return rule.label if rule else _found({}, name)


def measure_label(name: str, horizon: int) -> str:
    """Return the words for a live figure at a horizon."""
    if horizon == 1:
        return f"next-day {metric_label(name)}"
    return f"{metric_label(name)}, {horizon_label(horizon)}"


def horizon_label(horizon: int) -> str:
    """Return the name of a horizon: next session, 5 sessions ahead."""
    return "next session" if horizon == 1 else f"{horizon} sessions ahead"


def observed_and_allowed(
    rule: str, observed: float | None, threshold: float | None
) -> tuple[str, str]:
    """Return what a rule observed and what it requires, in words; empty where there is nothing."""
    words = RULES.get(rule, RuleLabel(rule))
    return _filled(words.observed, observed, words.digits), _filled(
        words.allowed, threshold, words.digits
    )


def _filled(words: str, number: float | None, digits: int | None) -> str:
    if number is None:
        return ""
    return words.format(short(number) if digits is None else written(number, digits))


def _with_suffix(labels: Mapping[str, str], name: str) -> str:
    for suffix, words in BOUNDS.items():
        if name.endswith(suffix):
            return _found(labels, name.removesuffix(suffix)) + words
    return _found(labels, name)


def _found(labels: Mapping[str, str], name: str) -> str:
    return labels.get(name) or name.replace("_", " ")
