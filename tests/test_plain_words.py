from __future__ import annotations

import pytest

from plain_words import not_for_people, visible_text


@pytest.mark.parametrize(
    "text",
    [
        "t nan",
        "bounds None to None",
        "-0.00",
        "\N{MINUS SIGN}0.0000 %",
        "limit 0.8999999999999999",
        "r2_against_zero 0.1",
        "next_day_r2_against_zero_lower_95",
        "no_skill",
        "horizon: inf",
    ],
)
def test_what_people_should_not_read_is_found(text: str) -> None:
    assert not_for_people(text)


@pytest.mark.parametrize(
    "text",
    ["2024-10-05 to 2024-12-0", "-0.01 to +0.02", "INFY.NS nanometre", "learning_rate 0.00123457"],
)
def test_dates_symbols_and_parameters_are_fine(text: str) -> None:
    assert not_for_people(text) == []


def test_a_page_s_labels_are_read_and_its_scripts_are_not() -> None:
    html = '<p aria-label="a &amp; b">c</p><script>"nan"</script>'
    assert visible_text(html).split() == ["c", "a", "&", "b"]
