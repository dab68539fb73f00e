from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from roi_forecast.errors import UniverseError
from roi_forecast.market import calendars
from roi_forecast.market.calendars import (
    next_sessions,
    session_on_or_before,
    sessions,
)
from roi_forecast.universe import load_universe

UNIVERSE = load_universe()
NSE = UNIVERSE.asset("RELIANCE.NS").exchange
CME = UNIVERSE.asset("GC=F").exchange
NYSE = UNIVERSE.asset("AAPL").exchange


@pytest.fixture(autouse=True)
def _forget_warnings():
    calendars._warn_once.cache_clear()


def as_dates(index: pd.DatetimeIndex) -> list[date]:
    return [day.date() for day in index]


def test_sessions_leave_out_a_holiday_and_keep_a_half_day():
    # Thanksgiving 2024 and the half day after it.
    found = as_dates(sessions(NYSE, date(2024, 11, 27), date(2024, 12, 2)))
    assert found == [date(2024, 11, 27), date(2024, 11, 29), date(2024, 12, 2)]


def test_sessions_are_empty_when_the_end_lies_before_the_start():
    assert sessions(NSE, date(2024, 1, 2), date(2024, 1, 1)).empty


def test_sessions_continue_with_weekdays_and_warn_once_where_the_calendar_ends(caplog):
    with caplog.at_level(logging.WARNING):
        found = as_dates(sessions(NSE, date(2026, 12, 29), date(2027, 1, 5)))
        sessions(NSE, date(2026, 12, 29), date(2027, 2, 5))
    assert found[-3:] == [date(2027, 1, 1), date(2027, 1, 4), date(2027, 1, 5)]
    assert caplog.text.count("has no data after 2026-12-31; holidays there count as sessions") == 1


def test_sessions_continue_with_weekdays_before_the_calendar_begins(caplog):
    with caplog.at_level(logging.WARNING):
        found = sessions(NSE, date(1990, 1, 1), date(1990, 1, 9))
    assert len(found) == 7
    assert "has no data before" in caplog.text


def test_sessions_refuse_a_calendar_that_does_not_exist():
    with pytest.raises(UniverseError, match="calendar 'XNOPE' does not exist"):
        sessions(replace(NSE, calendar="XNOPE"), date(2024, 1, 1), date(2024, 1, 5))


def test_session_on_or_before_steps_back_over_a_long_weekend():
    assert session_on_or_before(NSE, date(2024, 1, 28)) == date(2024, 1, 25)
    assert session_on_or_before(NSE, date(2024, 1, 25)) == date(2024, 1, 25)


def test_next_sessions_skip_holidays_and_cross_the_calendar_end():
    assert next_sessions(NSE, date(2024, 1, 25), 2) == [date(2024, 1, 29), date(2024, 1, 30)]
    assert next_sessions(NSE, date(2026, 12, 31), 2) == [date(2027, 1, 1), date(2027, 1, 4)]
    assert len(next_sessions(NSE, date(2024, 1, 25), 60)) == 60


@pytest.mark.parametrize(
    ("exchange", "day", "opening"),
    [
        (NYSE, date(2024, 7, 3), datetime(2024, 7, 3, 13, 30, tzinfo=UTC)),
        # A holiday: the next session.
        (NYSE, date(2024, 7, 4), datetime(2024, 7, 5, 13, 30, tzinfo=UTC)),
        # A session that opens on the evening before.
        (CME, date(2024, 7, 8), datetime(2024, 7, 7, 22, 0, tzinfo=UTC)),
        # Outside the calendar's data: the usual time, on a weekday.
        (NSE, date(2027, 3, 1), datetime(2027, 3, 1, 3, 45, tzinfo=UTC)),
        (CME, date(2031, 7, 5), datetime(2031, 7, 6, 22, 0, tzinfo=UTC)),
        (NSE, date(1996, 7, 5), datetime(1996, 7, 5, 3, 45, tzinfo=UTC)),
    ],
)
def test_a_date_opens_with_its_session_or_the_next_one(exchange, day, opening):
    assert calendars.opens_at(exchange, day) == opening
