from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from roi_forecast.reading.forecasts import Outcome
from roi_forecast.reading.track_record import Tally
from roi_web.explorable.chart import Ranges, Values
from roi_web.explorable.outcomes import (
    explorable_advantage,
    explorable_coverage,
    explorable_outcomes,
)

DAY = date(2026, 11, 20)


def outcome(
    day: date, actual: float, *, inside: bool, backfill: bool = False, hour: int = 1
) -> Outcome:
    return Outcome.model_construct(
        target_date=day, created_at=datetime(2026, 11, 20, hour, tzinfo=UTC),
        predicted_roi_pct=0.1, lower_80_pct=-1.0, upper_80_pct=1.2, realised_roi_pct=actual,
        inside_80=inside, backfill=backfill, filled_target=False, missing_context=[],
    )  # fmt: skip


def test_outcomes_are_by_date_and_split_by_what_happened() -> None:
    rows = [
        outcome(DAY, -3.0, inside=False),
        outcome(DAY - timedelta(days=1), 0.5, inside=True, backfill=True),
        outcome(DAY, 0.7, inside=True, hour=2),
    ]
    chart = explorable_outcomes("GC=F", rows)

    assert chart.dates == [DAY - timedelta(days=1), DAY, DAY]
    found = {each.name: each for each in chart.series}
    inside, outside = found["Actual, inside"], found["Actual, outside"]
    assert isinstance(inside, Values)
    assert isinstance(outside, Values)
    assert inside.values == [0.5, None, 0.7]
    assert outside.values == [None, -3.0, None]
    live, backfills = found["80 % interval"], found["80 % interval of a backfill"]
    assert isinstance(live, Ranges)
    assert isinstance(backfills, Ranges)
    assert (live.lower, live.upper) == ([None, -1.0, -1.0], [None, 1.2, 1.2])
    assert backfills.lower == [-1.0, None, None]
    assert backfills.pale
    assert chart.notes == ["backfill: made after the session opened", None, None]


def test_kinds_of_outcomes_that_do_not_occur_are_left_out() -> None:
    chart = explorable_outcomes("GC=F", [outcome(DAY, 0.5, inside=True)])
    assert [each.name for each in chart.series] == ["80 % interval", "Forecast", "Actual, inside"]


def test_coverage_is_the_percentage_inside_next_to_the_claimed_one() -> None:
    days = {
        DAY: Tally(8, 6, 8, 8, 4, 1.0, 1.5),
        DAY + timedelta(days=3): Tally(1, 0, 1, 1, 0, 1, 1),
    }
    chart = explorable_coverage("reference", days)
    (bars,) = chart.series
    assert isinstance(bars, Values)
    assert bars.values == [75.0, 0.0]
    assert chart.notes == ["6 of 8 forecasts", "0 of 1 forecast"]
    assert chart.level is not None
    assert chart.level.value == 80.0


def test_advantage_grows_by_each_days_difference_of_the_errors() -> None:
    errors = [(1.0, 1.5), (1.2, 1.0), (0.5, 0.5)]
    days = {
        DAY + timedelta(days=offset): Tally(8, 6, 8, 8, 4, 8 * error, 8 * of_zero)
        for offset, (error, of_zero) in enumerate(errors)
    }
    (line,) = explorable_advantage("reference", days).series
    assert isinstance(line, Values)
    gains = [later - (earlier or 0.0) for earlier, later in pairwise([0.0, *line.values]) if later]
    assert gains == pytest.approx([0.5, -0.2, 0.0])
