from __future__ import annotations

import pytest

from roi_forecast.number_text import direction, percent, short, signed, with_bounds, written


@pytest.mark.parametrize("figure", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_not_defined_is_a_word(figure: float | None) -> None:
    assert written(figure) == signed(figure) == percent(figure) == "undefined"
    assert with_bounds(figure, 0.1, 0.2) == "undefined (no bounds)"
    assert direction(figure, 1.0) == ""


def test_zero_has_no_sign() -> None:
    assert written(-0.00001) == signed(-0.00001) == signed(0.0) == "0.0000"
    assert percent(-0.001, 0) == "0 %"
    assert short(-0.0) == "0"
    assert signed(0.00006) == "+0.0001"


def test_a_limit_from_float_steps_has_no_more_digits_than_it_needs() -> None:
    assert short(0.95 - 0.05) == "0.9"
    assert short(60) == "60"
    assert short(-0.002) == "-0.002"


def test_a_figure_with_bounds_needs_both() -> None:
    assert with_bounds(0.0113, -0.0084, 0.0292) == "+0.0113 (95 %: -0.0084 to +0.0292)"
    assert with_bounds(0.0113, None, None) == "+0.0113 (no bounds)"


def test_a_direction_of_few_forecasts_names_their_share() -> None:
    assert direction(0.543, 0.99) == direction(0.543, None) == "direction right in 54.3 %"
    assert direction(0.5, 0.03) == (
        "direction right in 50.0 % of the 3.0 % of forecasts that have one"
    )
