from __future__ import annotations

import re

import pytest

from roi_forecast.labels import (
    check_label,
    figure_label,
    measure_label,
    metric_label,
    observed_and_allowed,
    predictor_label,
    rule_label,
    target_label,
)
from roi_local.environment import REPOSITORY


def test_a_bound_and_a_t_are_named_after_their_figure() -> None:
    assert metric_label("r2_against_zero_lower_95") == "R2 against zero, lower 95 % bound"
    assert figure_label("next_day_r2_against_zero_t") == "next-day R2 against zero, t"
    assert figure_label("coverage_80_upper_95") == "80 % coverage, upper 95 % bound"


def test_horizons_have_names() -> None:
    assert target_label("horizon_20_pct") == "ROI 20 sessions ahead"
    assert measure_label("r2_against_zero", 1) == "next-day R2 against zero"
    assert measure_label("coverage_95", 5) == "95 % coverage, 5 sessions ahead"


def test_a_name_without_words_of_its_own_has_no_underscore() -> None:
    assert predictor_label("of_tomorrow") == rule_label("of_tomorrow") == "of tomorrow"
    assert check_label("missing_price") == "missing price"


@pytest.mark.parametrize(
    ("rule", "observed", "threshold", "words"),
    [
        ("coverage_80", 0.010277, 0.093275, ("off by 0.010", "at most 0.093")),
        ("next_day", 0.029203, 0.0, ("upper bound 0.0292", "at least 0.0000")),
        ("pace", 3, 5, ("3", "at least 5")),
        ("leakage", 0, 0, ("0 found", "0 allowed")),
        ("champion", None, None, ("", "")),
    ],
)
def test_both_numbers_of_a_rule_say_what_they_are(
    rule: str, observed: float | None, threshold: float | None, words: tuple[str, str]
) -> None:
    assert observed_and_allowed(rule, observed, threshold) == words


def test_the_documentation_calls_each_rule_as_the_pages_do() -> None:
    text = (REPOSITORY / "docs" / "evaluation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \|", text.partition("| in SQL |")[2], re.MULTILINE)
    assert len(rows) > 8
    assert rows == [(rule_label(rule), rule) for _, rule in rows]
