from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from roi_web.explorable.chart import Chart, Ranges, Values

DATES = [date(2026, 11, 19), date(2026, 11, 20)]


def chart(**changes: Any) -> Chart:
    line = Values(name="Close", kind="line", colour="price", values=[1.0, None])
    return Chart(**{"title": "A", "unit": "", "dates": DATES, "series": [line], **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dates": DATES[::-1]}, "dates: they must ascend"),
        ({"dates": DATES[:1]}, "Close: 2 values for 1 dates"),
        ({"notes": ["one"]}, "notes: 1 for 2 dates"),
        (
            {"series": [Ranges(name="R", kind="band", colour="wide", lower=[1, 2], upper=[3])]},
            "R: 1 values for 2 dates",
        ),
    ],
)
def test_columns_of_another_length_than_the_dates_are_refused(
    changes: dict[str, object], words: str
) -> None:
    assert len(chart().dates) == 2
    with pytest.raises(ValidationError, match=words):
        chart(**changes)
