from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from roi_forecast.errors import UniverseError
from roi_forecast.market import calendars
from roi_forecast.market.calendars import (
    next_sessions,
    reference_sessions,
    session_on_or_before,
    sessions,
)
from roi_forecast.universe import load_universe

UNIVERSE = load_universe()
NSE = UNIVERSE.asset("RELIANCE.NS").exchange
CME = UNIVERSE.asset("GC=F").exchange
NYSE = UNIVERSE.asset("AAPL").exchange

SPECIAL_SESSIONS = [
    date(2020, 11, 14),
    date(2021, 11, 4),
    date(2022, 10, 24),
    date(2023, 11, 12),
    date(2024, 1, 20),
    date(2024, 3, 2),
    date(2024, 5, 18),
    date(2024, 11, 1),
]


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
    assert caplog.text.count("has no data after 2026-12-31; all weekdays there count") == 1


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


def make_bars(days: dict[str, list[date]]) -> pd.DataFrame:
    rows = [(symbol, pd.Timestamp(day)) for symbol, dates in days.items() for day in dates]
    return pd.DataFrame(rows, columns=["symbol", "trading_date"])


def test_reference_sessions_take_special_dates_of_most_assets_only():
    regular = as_dates(sessions(NSE, date(2024, 1, 15), date(2024, 1, 31)))
    special, rumour = date(2024, 1, 20), date(2024, 1, 21)
    assets = UNIVERSE.select(["RELIANCE.NS", "TCS.NS", "INFY.NS", "SI=F"])
    bars = make_bars(
        {
            "RELIANCE.NS": [*regular, special, rumour],
            "TCS.NS": [*regular, special],
            "INFY.NS": regular,
            "SI=F": [date(2024, 1, 27)],
        }
    )
    found = reference_sessions(bars, assets, date(2024, 1, 15), date(2024, 1, 31))
    assert as_dates(found) == sorted([*regular, special])


def test_reference_sessions_leave_out_and_name_a_session_without_any_bar(caplog):
    regular = as_dates(sessions(NSE, date(2024, 1, 15), date(2024, 1, 19)))
    assets = UNIVERSE.select(["RELIANCE.NS", "TCS.NS", "GC=F"])
    # The metal's bar on that date does not count: it trades elsewhere.
    bars = make_bars({"RELIANCE.NS": regular[:2], "TCS.NS": regular[3:], "GC=F": regular})
    with caplog.at_level(logging.WARNING):
        found = reference_sessions(bars, assets, date(2024, 1, 15), date(2024, 1, 19))
    assert as_dates(found) == [*regular[:2], *regular[3:]]
    assert "2024-01-17" in caplog.text


def test_reference_sessions_ignore_bars_after_the_as_of_date():
    assets = UNIVERSE.select(["RELIANCE.NS"])
    known = as_dates(sessions(NSE, date(2024, 1, 15), date(2024, 1, 19)))
    future = [date(2024, 1, 20), date(2024, 1, 23)]
    start, as_of_date = date(2024, 1, 15), date(2024, 1, 19)
    without = reference_sessions(make_bars({"RELIANCE.NS": known}), assets, start, as_of_date)
    planted = make_bars({"RELIANCE.NS": [*known, *future]})
    assert reference_sessions(planted, assets, start, as_of_date).equals(without)


def test_reference_sessions_of_real_prices_find_the_eight_special_sessions(real_prices_path):
    real = pd.read_csv(real_prices_path, parse_dates=["date"]).rename(
        columns={"date": "trading_date"}
    )
    symbols = [s for s in real["symbol"].unique() if s.endswith((".NS", "=F"))]
    start, as_of_date = date(2020, 10, 1), date(2024, 12, 31)
    found = reference_sessions(real, UNIVERSE.select(symbols), start, as_of_date)
    assert as_dates(found.difference(sessions(NSE, start, as_of_date))) == SPECIAL_SESSIONS
    assert len(found) == 1054
    assert np.all(np.diff(found.to_numpy()) > np.timedelta64(0))


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
