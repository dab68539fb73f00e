"""The source against a local server that speaks Twelve Data's protocol."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from market.conftest import END, START, RunFactory
from market.twelve_data_server import KEY, Fault, TwelveDataServer
from roi_forecast.config import parse_run_config
from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.registry import open_source
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.source import NoPricesError, UnknownSymbolError
from roi_forecast.market.sources.twelve_data.requests import (
    MAX_MINUTES,
    KeyRefusedError,
    LimitError,
    TwelveDataRequests,
)
from roi_forecast.market.sources.twelve_data.source import TwelveDataSource
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.settings import Settings, key_variable, url_variable
from roi_forecast.universe import load_universe

RELIANCE = load_universe().asset("RELIANCE.NS")
APPLE = load_universe().asset("AAPL")
RUPEE = load_universe().asset("INR=X")
NOW = datetime(2024, 12, 31, 12, tzinfo=UTC)
SYMBOLS = ("RELIANCE.NS", "AAPL", "BRK-B", "INR=X")

WORTH_A_RETRY: dict[Fault, str] = {
    "minute_limit": "used up.*current minute",
    "minute_limit_in_200": "used up.*current minute",
    "day_limit": "used up.*for the day",
    "server_error": "HTTP status 502",
    "error_in_200": "code 500: 'Internal error'",
    "html": "begins with '<!DOCTYPE html>",
    "truncated": "not the expected JSON",
    "endless": "longer than 16 MiB",
    "no_values": "no list 'values'",
    "no_meta": "no 'meta'",
}
NOT_WORTH_A_RETRY: dict[Fault, str] = {
    "unknown": "does not know the symbol.*delisted",
    "no_data": "no prices",
    "empty": "no prices",
    "plan": "plan of this key does not include it.*Grow",
    "bad_request": r"refuses the request.*interval",
    "conflicting_day": "two different bars",
    "word": "a close that cannot be read.*n/a",
    "moment": "a trading_date that cannot be read",
    "other_market": "asked for mic_code 'XNSE'.*'XBOG'",
    "other_time_zone": "time zone 'Europe/London'.*declares 'Asia/Kolkata'",
}
OpenSource = Callable[..., TwelveDataSource]


@pytest.fixture(scope="module")
def served_prices() -> pd.DataFrame:
    market = SimulatedSource()
    frames = [
        market.fetch(load_universe().asset(symbol), START, END).bars.assign(symbol=symbol)
        for symbol in SYMBOLS
    ]
    # As there, every price is adjusted.
    return pd.concat(frames, ignore_index=True).assign(adj_close=lambda rows: rows["close"])


@pytest.fixture
def twelve_data(served_prices: pd.DataFrame) -> Iterator[TwelveDataServer]:
    with TwelveDataServer(served_prices) as running:
        yield running


@pytest.fixture
def source(twelve_data: TwelveDataServer) -> TwelveDataSource:
    return open_at(twelve_data.url)


def open_at(url: str, key: str = KEY, timeout: float = 5.0, **options: Any) -> TwelveDataSource:
    sleep = options.pop("sleep", lambda seconds: None)
    return TwelveDataSource(TwelveDataRequests(url, key, timeout, sleep), **options)


def served(prices: pd.DataFrame, symbol: str) -> pd.DataFrame:
    rows = prices.loc[prices["symbol"] == symbol, list(BAR_COLUMNS)]
    return rows.sort_values("trading_date", ignore_index=True)


@pytest.mark.parametrize("symbol", ["RELIANCE.NS", "AAPL", "BRK-B"])
def test_fetch_returns_the_served_prices_and_the_stated_currency(symbol, source, served_prices):
    asset = load_universe().asset(symbol)
    fetched = source.fetch(asset, START, END)
    pd.testing.assert_frame_equal(fetched.bars, served(served_prices, symbol))
    assert (fetched.currency, fetched.missing) == (asset.currency, ())


def test_fetch_refuses_another_currency_than_the_universe_declares(source):
    assert source.fetch(replace(RELIANCE, own_currency="INR"), START, END).currency == "INR"
    with pytest.raises(SourceDataError, match=r"states the currency 'INR'.*declares 'USD'"):
        source.fetch(replace(RELIANCE, own_currency="USD"), START, END)


def test_fetch_says_that_a_currency_has_no_volume(source, served_prices):
    fetched = source.fetch(RUPEE, START, END)
    expected = served(served_prices, "INR=X").assign(volume=float("nan"))
    pd.testing.assert_frame_equal(fetched.bars, expected)
    assert (fetched.currency, fetched.missing) == (None, ("volume",))


def test_fetch_asks_for_adjusted_daily_bars(source, twelve_data):
    source.fetch(RELIANCE, date(2024, 1, 2), date(2024, 1, 31))
    assert [request.parameters for request in twelve_data.requests] == [
        {
            "symbol": "RELIANCE",
            "mic_code": "XNSE",
            "interval": "1day",
            "start_date": "2024-01-02",
            "end_date": "2024-02-01",
            "outputsize": "5000",
            "order": "asc",
            "adjust": "all",
        }
    ]


def test_fetch_takes_both_ends_inclusive(source, served_prices):
    days = served(served_prices, "AAPL")["trading_date"].dt.date
    bars = source.fetch(APPLE, days[10], days[20]).bars
    assert list(bars["trading_date"].dt.date) == list(days[10:21])


def test_fetch_divides_a_range_beyond_the_5000_bars_of_an_answer(source, twelve_data):
    bars = source.fetch(RELIANCE, date(1990, 1, 1), END).bars
    assert bars["trading_date"].dt.date.min() == START
    spans = [
        tuple(date.fromisoformat(request.parameters[name]) for name in ("start_date", "end_date"))
        for request in twelve_data.requests
    ]
    assert spans[0][0] == date(1990, 1, 1)
    assert spans[-1][1] == END + timedelta(days=1)
    assert all(last - first < timedelta(days=5000) for first, last in spans)
    assert all(later[0] == earlier[1] for earlier, later in itertools.pairwise(spans))


def test_fetch_leaves_out_the_running_day_of_a_currency(twelve_data, served_prices):
    days = served(served_prices, "INR=X")["trading_date"]
    thursdays = days[days.dt.day_name() == "Thursday"].dt.date
    source = open_at(twelve_data.url, today=lambda: thursdays.iloc[-1])
    bars = source.fetch(RUPEE, START, END).bars
    assert bars["trading_date"].dt.date.max() == thursdays.iloc[-1] - timedelta(days=1)


def test_fetch_takes_a_friday_of_a_currency_whose_market_closes_before_the_day_ends(
    twelve_data, served_prices
):
    days = served(served_prices, "INR=X")["trading_date"]
    fridays = days[days.dt.day_name() == "Friday"].dt.date
    source = open_at(twelve_data.url, today=lambda: fridays.iloc[-1])
    bars = source.fetch(RUPEE, START, fridays.iloc[-1]).bars
    assert bars["trading_date"].dt.date.max() == fridays.iloc[-1]


def test_fetch_leaves_out_the_sunday_evenings_of_a_currency(source, twelve_data, served_prices):
    rows = served_prices[served_prices["symbol"] == "INR=X"]
    fridays = rows[rows["trading_date"].dt.day_name() == "Friday"]
    sundays = fridays.assign(trading_date=fridays["trading_date"] + pd.Timedelta(days=2))
    assert len(sundays) > 50
    twelve_data.replace_prices("INR=X", pd.concat([rows, sundays]))
    bars = source.fetch(RUPEE, START, END).bars
    assert list(bars["trading_date"]) == list(served(served_prices, "INR=X")["trading_date"])


def test_a_dividend_restates_the_stored_history(
    market_engine: Engine,
    make_run: RunFactory,
    source: TwelveDataSource,
    twelve_data: TwelveDataServer,
    served_prices: pd.DataFrame,
) -> None:
    rows = served(served_prices, "RELIANCE.NS").assign(symbol="RELIANCE.NS")
    common = {"source": "twelve_data", "symbols": ["RELIANCE.NS"]}
    friday, monday = (
        make_run(day, **common, as_of_date=day) for day in ("2024-12-20", "2024-12-30")
    )
    extract_prices(market_engine, friday, "RELIANCE.NS", source, now=NOW)
    ex_date = pd.Timestamp("2024-12-24")
    paid = rows.copy()
    prices = ["open", "high", "low", "close", "adj_close"]
    paid.loc[paid["trading_date"] < ex_date, prices] *= 0.98
    twelve_data.replace_prices("RELIANCE.NS", paid)
    result = extract_prices(market_engine, monday, "RELIANCE.NS", source, now=NOW)
    assert result.restated
    with market_engine.connect() as connection:
        stored = load_bars(connection, "twelve_data", ["RELIANCE.NS"], START, END)
    assert stored["close"].tolist() == pytest.approx(paid["close"].tolist())
    assert stored["adj_close"].tolist() == stored["close"].tolist()


@pytest.mark.parametrize(("fault", "message"), (WORTH_A_RETRY | NOT_WORTH_A_RETRY).items())
def test_fetch_names_the_symbol_and_the_fault(fault: Fault, message: str, source, twelve_data):
    twelve_data.break_symbol("RELIANCE.NS", fault)
    with pytest.raises((SourceUnavailableError, SourceDataError)) as raised:
        source.fetch(RELIANCE, START, END)
    assert raised.match(rf"^RELIANCE\.NS: .*{message}")
    assert isinstance(raised.value, SourceUnavailableError) is (fault in WORTH_A_RETRY)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("minute_limit", LimitError),
        ("day_limit", LimitError),
        ("unknown", UnknownSymbolError),
        ("no_data", NoPricesError),
        ("empty", NoPricesError),
    ],
)
def test_fetch_tells_limits_unknown_symbols_and_missing_prices_apart(
    fault: Fault, error: type[Exception], source, twelve_data
):
    twelve_data.break_symbol("RELIANCE.NS", fault)
    with pytest.raises(error):
        source.fetch(RELIANCE, START, END)


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_fetch_gives_up_when_the_answer_takes_longer_than_the_time_out(fault: Fault, twelve_data):
    twelve_data.break_symbol("RELIANCE.NS", fault)
    # The server ends both after half a minute, so a client that waits for its answer gets one.
    with pytest.raises(SourceUnavailableError, match=r"did not answer within 0\.3 seconds"):
        open_at(twelve_data.url, timeout=0.3).fetch(RELIANCE, START, END)


def test_fetch_says_when_nothing_listens():
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        open_at("http://127.0.0.1:9").fetch(RELIANCE, START, END)


def test_fetch_follows_no_redirection_with_the_key(source, twelve_data):
    twelve_data.break_symbol("RELIANCE.NS", "redirect")
    with pytest.raises(SourceUnavailableError):
        source.fetch(RELIANCE, START, END)
    assert not any("elsewhere" in path for path in twelve_data.paths)


@pytest.mark.parametrize("fault", ["minute_limit_once", "repeated_day", "unsorted", "future"])
def test_fetch_gets_over_a_fault_that_loses_nothing(
    fault: Fault, source, twelve_data, served_prices
):
    twelve_data.break_symbol("RELIANCE.NS", fault)
    bars = source.fetch(RELIANCE, START, END).bars
    pd.testing.assert_frame_equal(bars, served(served_prices, "RELIANCE.NS"))


def test_fetch_marks_a_bar_without_prices_as_missing(source, twelve_data):
    twelve_data.break_symbol("RELIANCE.NS", "missing_last")
    bars = source.fetch(RELIANCE, START, END).bars
    assert bars["adj_close"].isna().tolist() == [False] * (len(bars) - 1) + [True]


def test_fetch_says_when_a_stock_comes_without_volume(source, twelve_data):
    twelve_data.break_symbol("RELIANCE.NS", "no_volume")
    fetched = source.fetch(RELIANCE, START, END)
    assert fetched.missing == ("volume",)
    assert fetched.bars["volume"].isna().all()


@pytest.mark.parametrize("symbol", ["GC=F", "^GSPC"])
def test_fetch_sends_no_request_for_what_it_does_not_serve(symbol, source, twelve_data):
    with pytest.raises(SourceDataError, match="source yahoo or csv"):
        source.fetch(load_universe().asset(symbol), START, END)
    assert twelve_data.paths == []


def test_fetch_waits_for_the_next_minute_while_the_plan_allows_a_few_requests(served_prices):
    waits: list[float] = []
    with TwelveDataServer(served_prices, allowance=2) as server:

        def next_minute(seconds: float) -> None:
            waits.append(seconds)
            server.renew()

        source = open_at(server.url, sleep=next_minute)
        for symbol in ("RELIANCE.NS", "AAPL", "BRK-B", "INR=X", "AAPL"):
            assert len(source.fetch(load_universe().asset(symbol), START, END).bars) > 400
    assert len(waits) == 2
    assert all(0 < seconds <= 61 for seconds in waits)


@pytest.mark.parametrize(("fault", "expected"), [("minute_limit", MAX_MINUTES), ("day_limit", 0)])
def test_fetch_waits_some_minutes_but_not_for_the_next_day(fault: Fault, expected, twelve_data):
    waits: list[float] = []
    twelve_data.break_symbol("RELIANCE.NS", fault)
    with pytest.raises(LimitError):
        open_at(twelve_data.url, sleep=waits.append).fetch(RELIANCE, START, END)
    assert len(waits) == expected


@pytest.mark.parametrize("key", ["", "wrong-key"])
def test_a_key_that_is_missing_or_wrong_is_named_by_its_variable(key, twelve_data):
    source = open_at(twelve_data.url, key)
    for ask in (source.check_reachable, lambda asset: source.fetch(asset, START, END)):
        with pytest.raises(KeyRefusedError, match="ROI_TWELVE_DATA_KEY") as refusal:
            ask(RELIANCE)
        assert "wrong-key" not in str(refusal.value)
    assert bool(twelve_data.paths) == bool(key)


@pytest.mark.parametrize("key", ["secret\nkey", "secret\x00key", "secret-k\u00e9y"])
def test_a_key_that_no_header_can_hold_is_refused_without_repeating_it(key, twelve_data):
    with pytest.raises(KeyRefusedError, match="ROI_TWELVE_DATA_KEY") as refusal:
        open_at(twelve_data.url, key).check_reachable(RELIANCE)
    assert "secret" not in str(refusal.value)
    assert twelve_data.paths == []


def test_no_part_of_the_key_is_in_a_message_that_quotes_a_page_with_it(source, twelve_data):
    twelve_data.break_all("html")
    with pytest.raises(SourceUnavailableError, match=r"DOCTYPE html.*visitor") as refusal:
        source.check_reachable(RELIANCE)
    assert KEY[:4] not in str(refusal.value)


def test_the_key_is_in_no_address_log_or_repr(twelve_data, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv(url_variable("twelve_data"), twelve_data.url)
    monkeypatch.setenv(key_variable("twelve_data"), f"{KEY}\n")  # as a file of secrets ends
    monkeypatch.setenv("ROI_DATABASE_URL", "postgresql+psycopg://")
    monkeypatch.setenv("ROI_DATA_DIRECTORY", str(tmp_path))
    settings = Settings.from_environment()
    config = parse_run_config({"source": "twelve_data", "symbols": ["RELIANCE.NS"]})
    with caplog.at_level(logging.DEBUG):
        source = open_source(config, settings)
        assert len(source.fetch(RELIANCE, START, END).bars) > 400
    assert KEY not in caplog.text + repr(settings) + "".join(twelve_data.paths)


def test_check_reachable_asks_without_a_symbol(source, twelve_data):
    source.check_reachable(load_universe().asset("GC=F"))
    assert twelve_data.paths == ["/api_usage"]


@pytest.mark.parametrize("fault", ["minute_limit", "server_error", "html", "hang"])
def test_check_reachable_raises_when_there_is_no_answer(fault: Fault, twelve_data):
    twelve_data.break_all(fault)
    with pytest.raises(SourceUnavailableError):
        open_at(twelve_data.url, timeout=0.5).check_reachable(RELIANCE)
