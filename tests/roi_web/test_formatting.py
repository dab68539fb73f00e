from __future__ import annotations

import pytest

from roi_forecast.labels import horizon_label
from roi_web.formatting import ABSENT, MINUS, listed, number, percent, prose, share


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_not_known_is_a_dash(value: float | None) -> None:
    assert number(value) == percent(value) == ABSENT


def test_zero_has_no_sign() -> None:
    assert number(-0.001) == "0.00"
    assert percent(-0.004) == percent(0.004) == "0.00 %"
    assert share(0, 0) == ABSENT


def test_a_stored_sentence_gets_real_minus_signs_and_keeps_its_dates() -> None:
    stored = "R2 -0.0044 (95 %: -0.0676 to +0.0619) since 2024-05-27, version 20250115T120000Z-4a"
    assert prose(stored) == (
        f"R2 {MINUS}0.0044 (95 %: {MINUS}0.0676 to +0.0619) since 2024-05-27, "
        "version 20250115T120000Z-4a"
    )
    assert prose(None) == ""


def test_horizons_are_listed_by_name() -> None:
    assert listed(map(horizon_label, (1, 5, 20))) == (
        "next session, 5 sessions ahead and 20 sessions ahead"
    )
    assert listed(["next session"]) == "next session"
