"""One symbol of each market, with what is known of it from elsewhere.

markets.csv states when the bar of 2024-07-02 is final in UTC, with a plus on the day after, a
session and a holiday of 2024. Holidays are public holidays or notices of the exchanges, closing
times those of their rules.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_forecast.errors import UniverseError
from roi_forecast.market.calendars import (
    LONGEST_BREAK,
    next_openings,
    next_sessions,
    opens_at,
    session_on_or_before,
    sessions,
)
from roi_forecast.universe import load_universe
from roi_forecast.universe.exchange import MAJOR_UNITS
from roi_forecast.universe.symbols import CRYPTOCURRENCIES, CURRENCIES, likely_symbol

UNIVERSE = load_universe()

MARKETS = [
    tuple(row.values())
    for row in csv.DictReader(Path(__file__).with_name("markets.csv").open(encoding="utf-8"))
]
EXCHANGES = {exchange.name: exchange for exchange in UNIVERSE.exchanges}


@pytest.mark.parametrize("market", MARKETS, ids=[market[0] for market in MARKETS])
def test_a_symbol_has_the_properties_of_its_market(market) -> None:
    symbol, name, calendar, currency, zone, asset_class, final, session, holiday = market
    asset = UNIVERSE.asset(symbol)
    exchange = asset.exchange
    assert (exchange.name, exchange.calendar, exchange.timezone.key) == (name, calendar, zone)
    assert (asset.currency, asset.asset_class) == (currency, asset_class)
    day = date(2024, 7, 3) if final.startswith("+") else date(2024, 7, 2)
    moment = datetime.fromisoformat(f"{day}T{final.removeprefix('+')}:00+00:00")
    assert exchange.final_at(date(2024, 7, 2)).astimezone(UTC) == moment
    held = sessions(exchange, date(2024, 1, 1), date(2024, 12, 31)).strftime("%Y-%m-%d")
    assert session in held
    assert holiday not in held
    if holiday and calendar != "24/5":  # which knows no holidays
        assert f"{date.fromisoformat(holiday):%a}" in set(
            sessions(exchange, date(2024, 1, 1), date(2024, 12, 31)).strftime("%a")
        )


def test_every_declared_exchange_has_a_row_above() -> None:
    named = {market[1] for market in MARKETS}
    assert named >= set(EXCHANGES)


@pytest.mark.parametrize("name", EXCHANGES)
def test_every_calendar_gives_sessions_and_openings_from_1997_to_beyond_its_data(name) -> None:
    exchange = EXCHANGES[name]
    held = sessions(exchange, date(1996, 1, 1), date(2032, 1, 1))
    assert held.to_series().diff().max() < LONGEST_BREAK
    assert held.is_monotonic_increasing
    assert held.is_unique
    per_year = np.bincount(held.year)[1996:2032]
    assert per_year.min() >= 210  # Athens was closed for five weeks in 2015
    assert per_year.max() <= 366
    days = held.to_numpy().astype("datetime64[D]")
    openings = next_openings(exchange, days[:-1])
    assert (np.diff(openings) > np.timedelta64(0)).all()
    # A session begins on its date in the exchange's zone or on the evening before it.
    lead = days[1:] - openings.astype("datetime64[D]")
    assert set(lead.astype(int)) <= {0, 1}
    for day in (date(1996, 6, 14), date(2024, 6, 14), date(2031, 6, 14)):
        (following,) = next_sessions(exchange, day, 1)
        assert following in held.date
        assert opens_at(exchange, following) == opens_at(exchange, day + timedelta(days=1))


def test_tel_aviv_traded_on_sundays_until_2026_and_on_fridays_since() -> None:
    exchange = UNIVERSE.asset("TEVA.TA").exchange
    held = sessions(exchange, date(2025, 12, 28), date(2026, 1, 16)).strftime("%a %m-%d")
    # https://www.tase.co.il/en/content/about/tradingdays_change
    assert list(held) == [
        *("Sun 12-28", "Mon 12-29", "Tue 12-30", "Wed 12-31", "Thu 01-01", "Sun 01-04"),
        *("Mon 01-05", "Tue 01-06", "Wed 01-07", "Thu 01-08", "Fri 01-09"),
        *("Mon 01-12", "Tue 01-13", "Wed 01-14", "Thu 01-15", "Fri 01-16"),
    ]


@pytest.mark.parametrize(
    ("symbol", "start", "weekdays"),
    [
        ("2222.SR", date(2015, 6, 7), "Sun Mon Tue Wed Thu"),
        ("2222.SR", date(2031, 6, 1), "Sun Mon Tue Wed Thu"),
        ("TEVA.TA", date(1996, 6, 2), "Sun Mon Tue Wed Thu"),
        ("TEVA.TA", date(2031, 6, 1), "Mon Tue Wed Thu Fri"),
        ("BTC-USD", date(2031, 6, 1), "Sun Mon Tue Wed Thu Fri Sat"),
        ("INR=X", date(2031, 6, 1), "Mon Tue Wed Thu Fri"),
    ],
)
def test_outside_a_calendars_data_its_usual_week_counts(symbol, start, weekdays) -> None:
    week = sessions(UNIVERSE.asset(symbol).exchange, start, start + timedelta(days=6))
    assert " ".join(week.strftime("%a")) == weekdays


def test_tel_aviv_is_closed_on_jewish_holidays_and_on_no_others() -> None:
    exchange = UNIVERSE.asset("TEVA.TA").exchange
    held = sessions(exchange, date(2026, 3, 1), date(2026, 4, 30))
    week = [day for day in pd.date_range("2026-03-01", "2026-04-30") if day.day_of_week < 5]
    # Purim, Passover (eve, first, second eve, seventh day), Memorial and Independence Day.
    assert [f"{day:%m-%d}" for day in week if day not in held] == [
        *("03-03", "04-01", "04-02", "04-07", "04-08", "04-21", "04-22"),
    ]


def test_a_break_of_five_weeks_has_a_session_before_it() -> None:
    athens = UNIVERSE.asset("OPAP.AT").exchange
    assert session_on_or_before(athens, date(2015, 8, 2)) == date(2015, 6, 26)


def test_saturdays_were_sessions_in_seoul_until_1998() -> None:
    exchange = UNIVERSE.asset("005930.KS").exchange
    assert date(1998, 11, 28) in sessions(exchange, date(1998, 11, 23), date(1998, 11, 29)).date
    assert date(1998, 12, 12) not in sessions(exchange, date(1998, 12, 7), date(1998, 12, 13)).date


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        ("SAP.XX", r"suffix '\.XX'.*suffix = '\.XX'.*exchanges\.toml"),
        ("^NOPE", r"'\^NOPE' to the indices of its exchange in .*exchanges\.toml"),
        ("^NOPE.XX", r"suffix = '\.XX'"),
        ("BTC-XYZ", r"'XYZ' is no currency.*\[\[exchanges\]\] entry"),
        ("EURXYZ=X", r"'XYZ' is no currency"),
        ("MY-FUND", r"entry with symbols = 'MY-FUND'"),
        ("BTCUSD", r"Yahoo writes it 'BTC-USD'"),
        ("BTCUSDT", r"Yahoo writes it 'BTC-USD'"),
        ("DOGEEUR", r"Yahoo writes it 'DOGE-EUR'"),
        ("EURUSD", r"Yahoo writes it 'EURUSD=X'"),
        ("USDINR", r"Yahoo writes it 'USDINR=X'"),
        ("XAUUSD", r"Yahoo writes it 'GC=F'"),
        ("XAU-USD", r"Yahoo writes it 'GC=F'"),
        ("EUR-USD", r"Yahoo writes it 'EURUSD=X'"),
        ("BTC-USDT", r"Yahoo writes it 'BTC-USD'"),
        ("SOLUSDC", r"Yahoo writes it 'SOL-USD'"),
        ("NEWCOINUSDT", r"Yahoo writes it 'NEWCOIN-USD'"),
        ("BTCUSD=X", r"Yahoo writes it 'BTC-USD'"),
        ("NIFTY50", r"Yahoo writes it '\^NSEI'"),
        ("SPX", r"Yahoo writes it '\^GSPC'"),
        ("HSBA.LN", r"Yahoo writes it 'HSBA\.L'"),
        ("RELIANCE.NSE", r"Yahoo writes it 'RELIANCE\.NS'"),
        ("AAPL.US", r"Yahoo writes it 'AAPL'"),
        ("BRK.B", r"Yahoo writes it 'BRK-B'"),
    ],
)
def test_a_symbol_of_no_market_is_refused_with_what_to_write(symbol: str, message: str) -> None:
    with pytest.raises(UniverseError, match=message) as refusal:
        UNIVERSE.asset(symbol)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 350


@pytest.mark.parametrize("symbol", ["AAA", "LISTED2023", "VNEG", "S_1", "ABC123", "S00001", "M&M"])
def test_a_plain_ticker_of_a_file_is_taken_for_new_york(symbol: str) -> None:
    assert UNIVERSE.asset(symbol).exchange.name == "NYSE and Nasdaq"


ROOTS = st.from_regex(r"\^?[A-Z0-9][A-Z0-9&_-]{0,11}", fullmatch=True)
SUFFIXES = st.sampled_from(["", *{e.suffix for e in UNIVERSE.exchanges if e.suffix}, "=X", ".ZZ"])


@given(ROOTS, SUFFIXES)
def test_any_symbol_has_one_exchange_that_trades_it_or_is_refused_in_one_line(root, suffix) -> None:
    symbol = root + suffix
    try:
        asset = UNIVERSE.asset(symbol)
    except UniverseError as error:
        assert str(error).startswith(f"symbol {symbol!r}")
        assert "\n" not in str(error)
        return
    first = next(exchange for exchange in UNIVERSE.exchanges if exchange.trades(symbol))
    assert asset.exchange in (first, first.for_symbol(symbol))
    assert asset.currency in CURRENCIES | CRYPTOCURRENCIES | MAJOR_UNITS.keys()
    assert (asset.asset_class == "index") is first.is_index(symbol)
    if symbol.startswith("^"):
        assert asset.currency not in MAJOR_UNITS


@pytest.mark.parametrize("coin", sorted(CRYPTOCURRENCIES))
@pytest.mark.parametrize("quote", ["USD", "EUR", "INR"])
def test_a_cryptocurrency_without_its_hyphen_is_no_new_york_stock(coin: str, quote: str) -> None:
    assert likely_symbol(coin + quote) == f"{coin}-{quote}"
    asset = UNIVERSE.asset(f"{coin}-{quote}")
    assert (asset.asset_class, asset.currency) == ("cryptocurrency", quote)


@given(st.sampled_from(sorted(CURRENCIES)), st.sampled_from(sorted(CURRENCIES)))
def test_two_currencies_without_their_suffix_are_no_new_york_stock(base: str, quote: str) -> None:
    with pytest.raises(UniverseError, match="Yahoo writes it"):
        UNIVERSE.asset(base + quote)
    assert UNIVERSE.asset(f"{base}{quote}=X").currency == quote


WORDS = sorted(CRYPTOCURRENCIES | CURRENCIES | {"NEWCOIN"})


@given(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS),
    st.sampled_from(["{}{}", "{}-{}", "{}{}=X"]),
)
def test_what_a_refusal_says_to_write_is_accepted(base: str, quote: str, form: str) -> None:
    meant = likely_symbol(form.format(base, quote))
    assert meant is None or UNIVERSE.asset(meant).symbol == meant


@pytest.mark.parametrize(
    "symbol", ["^SPX", "^GSPE", "^NDXT", "^VXEEM", "^RUO", "^HUI", "^DJUSTC", "^XDE", "^BUK100P"]
)
def test_more_indices_of_yahoo_have_an_exchange(symbol: str) -> None:
    assert UNIVERSE.asset(symbol).asset_class == "index"
