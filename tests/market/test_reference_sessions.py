from __future__ import annotations

import logging
from datetime import date

import numpy as np
import pandas as pd
import pytest

from roi_forecast.market.calendars import sessions
from roi_forecast.market.reference_sessions import explain_reference, reference_sessions
from roi_forecast.universe import load_universe, reference_exchange

UNIVERSE = load_universe()
NSE = UNIVERSE.asset("RELIANCE.NS").exchange

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


def as_dates(index: pd.DatetimeIndex) -> list[date]:
    return [day.date() for day in index]


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
    ("symbols", "calendar"),
    [
        (["AAPL", "7203.T", "6758.T"], "XTKS"),
        # The first in a tie.
        (["AAPL", "MSFT", "IBM", "7203.T", "6758.T", "9984.T", "BTC-USD"], "XNYS"),
        (["7203.T", "6758.T", "9984.T", "BTC-USD", "AAPL", "MSFT", "IBM"], "XTKS"),
        # What trades on each session of the others gives way in a tie.
        (["BTC-USD", "EURUSD=X", "AAPL"], "XNYS"),
        (["BTC-USD", "EURUSD=X"], "24/7"),
        (["BTC-USD", "ETH-USD", "AAPL"], "24/7"),
        # Exchanges that share a calendar count together.
        (["AAPL", "MSFT", "TCS.NS", "500325.BO", "^NSEI"], "XBOM"),
    ],
)
def test_the_calendar_of_most_assets_gives_the_rows(symbols: list[str], calendar: str) -> None:
    assert reference_exchange(UNIVERSE.select(symbols)).calendar == calendar


def test_the_reference_of_a_mixed_universe_is_explained_with_what_it_means_for_each() -> None:
    assets = UNIVERSE.select(["AAPL", "^GSPC", "7203.T", "BTC-USD", "2222.SR"])
    # In this week New York is closed on Thursday 4 July, Tokyo never, Riyadh on Friday.
    first, second = explain_reference(assets, date(2024, 7, 1), date(2024, 7, 7))
    assert first == "rows are sessions of XNYS, the calendar of most assets (2 of 5)"
    assert "24/7 (BTC-USD) lacks 0 of 4 rows and has 3 sessions between rows" in second
    assert "XTKS (7203.T) lacks 0 of 4 rows and has 1 sessions between rows" in second
    assert "XSAU (2222.SR) lacks 1 of 4 rows and has 2 sessions between rows" in second


def test_a_tie_is_explained() -> None:
    assets = UNIVERSE.select(["BTC-USD", "7203.T", "AAPL"])
    first, _ = explain_reference(assets, date(2024, 7, 1), date(2024, 7, 7))
    assert first == (
        "rows are sessions of XTKS, the calendar of as many assets as 24/7, XNYS, named first of "
        "those that ever close (1 of 3)"
    )


def test_assets_of_one_calendar_need_no_explanation() -> None:
    assets = UNIVERSE.select(["TCS.NS", "500325.BO"])
    assert not list(explain_reference(assets, date(2024, 7, 1), date(2024, 7, 7)))
