"""The real yfinance against a local server that speaks Yahoo's protocol."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from market.conftest import END, START
from market.yahoo_server import Fault, YahooServer
from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.source import NoPricesError, UnknownSymbolError
from roi_forecast.market.sources.yahoo import RateLimitedError, YahooSource
from roi_forecast.market.sources.yahoo_session import MalformedAnswerError
from roi_forecast.universe import load_universe

RELIANCE = load_universe().asset("RELIANCE.NS")
GOLD = load_universe().asset("GC=F")


def served(prices: pd.DataFrame, symbol: str) -> pd.DataFrame:
    rows = prices.loc[prices["symbol"] == symbol, list(BAR_COLUMNS)]
    return rows.sort_values("trading_date", ignore_index=True)


@pytest.mark.parametrize("asset", [RELIANCE, GOLD], ids=lambda asset: asset.symbol)
def test_fetch_returns_the_served_prices(asset, yahoo, prices):
    bars = yahoo.fetch(asset, START, END).bars
    pd.testing.assert_frame_equal(bars, served(prices, asset.symbol))


def test_fetch_returns_the_served_real_prices(real_prices_path, tmp_path):
    real = pd.read_csv(real_prices_path, parse_dates=["date"]).rename(
        columns={"date": "trading_date"}
    )
    with YahooServer(real) as server:
        source = YahooSource(tmp_path, server.url)
        for symbol in ("ADANIENT.NS", "PL=F", "AAPL"):
            asset = load_universe().asset(symbol)
            bars = source.fetch(asset, date(2020, 10, 1), date(2024, 12, 31)).bars
            pd.testing.assert_frame_equal(
                bars, served(real, symbol).astype({"volume": float}), check_index_type=False
            )


def test_fetch_takes_both_ends_inclusive(yahoo, prices):
    days = served(prices, "GC=F")["trading_date"].dt.date
    bars = yahoo.fetch(GOLD, days[10], days[20]).bars
    assert list(bars["trading_date"].dt.date) == list(days[10:21])


@pytest.mark.parametrize(
    ("start", "end"),
    [(date(2024, 3, 8), date(2024, 3, 12)), (date(2024, 11, 1), date(2024, 11, 5))],
    ids=["clocks go forward", "clocks go back"],
)
def test_fetch_keeps_the_exchange_dates_when_clocks_change(start, end, yahoo, prices):
    expected = served(prices, "GC=F")["trading_date"]
    expected = expected[expected.between(pd.Timestamp(start), pd.Timestamp(end))]
    bars = yahoo.fetch(GOLD, start, end).bars
    assert list(bars["trading_date"]) == list(expected)
    assert len(bars) == 3


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("rate_limit", RateLimitedError, "429"),
        ("unknown", UnknownSymbolError, "does not know the symbol.*delisted"),
        ("empty", NoPricesError, "no prices"),
        ("server_error", SourceUnavailableError, "HTTP status 502"),
        ("html", MalformedAnswerError, "begins with '<!DOCTYPE html>"),
        ("truncated", MalformedAnswerError, "not a price chart in JSON"),
        ("conflicting_day", SourceDataError, "two different bars"),
        ("no_adjusted_close", SourceDataError, "no adjusted close"),
        ("impossible_currency", SourceDataError, r"'U\$' as currency"),
        (
            "other_time_zone",
            SourceDataError,
            rf"'America/New_York', where the bar of {START - timedelta(days=1)} .*\({START}\)",
        ),
        ("unknown_time_zone", SourceDataError, "No time zone found with key Mars/Base"),
    ],
)
def test_fetch_names_the_symbol_and_the_fault(
    fault: Fault, error: type[Exception], message: str, yahoo, server
):
    server.break_symbol("RELIANCE.NS", fault)
    with pytest.raises(error, match=rf"^RELIANCE\.NS: .*{message}") as raised:
        yahoo.fetch(RELIANCE, START, END)
    is_worth_a_retry = fault in {"rate_limit", "server_error", "html", "truncated"}
    assert isinstance(raised.value, SourceUnavailableError) is is_worth_a_retry
    assert isinstance(raised.value, SourceDataError) is not is_worth_a_retry


@pytest.mark.parametrize(
    ("fault", "currency"),
    [("other_currency", "USX"), ("no_currency", None), ("equivalent_time_zone", "INR")],
)
def test_fetch_passes_on_the_currency_that_yahoo_states(
    fault: Fault, currency: str | None, yahoo, server, prices
):
    server.break_symbol("RELIANCE.NS", fault)
    fetched = yahoo.fetch(RELIANCE, START, END)
    assert fetched.currency == currency
    pd.testing.assert_frame_equal(fetched.bars, served(prices, "RELIANCE.NS"))


def test_fetch_refuses_another_currency_than_the_asset_declares_for_itself(yahoo, server):
    server.break_symbol("RELIANCE.NS", "other_currency")
    declared = replace(RELIANCE, own_currency="INR")
    with pytest.raises(SourceDataError, match=r"states the currency 'USX'.*declares 'INR'"):
        yahoo.fetch(declared, START, END)
    server.heal_symbol("RELIANCE.NS")
    assert yahoo.fetch(declared, START, END).currency == "INR"


@pytest.mark.parametrize(
    ("symbol", "stated", "asset_class"),
    [
        ("RELIANCE.NS", {}, "stock"),
        ("RELIANCE.NS", {"instrumentType": "ETF"}, "fund"),
        ("RELIANCE.NS", {"instrumentType": "OPTION"}, None),
        ("VFIAX", {}, "fund"),
        ("^FTSE", {}, "index"),
        ("ZC=F", {}, None),
        ("ES=F", {}, None),
        ("INR=X", {}, "currency"),
        ("BTC-EUR", {}, "cryptocurrency"),
        ("TEVA.TA", {}, "stock"),
    ],
)
def test_fetch_passes_on_class_and_currency_of_each_kind(
    symbol: str, stated: dict[str, str], asset_class: str | None, tmp_path
):
    asset = load_universe().asset(symbol)
    bars = SimulatedSource().fetch(asset, date(2024, 3, 1), date(2024, 4, 30)).bars
    with YahooServer(bars.assign(symbol=symbol)) as server:
        server.state(symbol, stated)
        source = YahooSource(tmp_path, server.url)
        fetched = source.fetch(asset, date(2024, 3, 1), date(2024, 4, 30))
    assert (fetched.asset_class, fetched.currency) == (asset_class, asset.currency)
    pd.testing.assert_frame_equal(fetched.bars, bars)


def test_fetch_gives_up_when_yahoo_hangs_beyond_the_time_out(server, tmp_path):
    server.break_symbol("RELIANCE.NS", "hang")
    source = YahooSource(tmp_path, server.url, timeout=0.3)
    with pytest.raises(SourceUnavailableError, match=r"did not answer within 0\.3 seconds"):
        source.fetch(RELIANCE, START, END)


def test_fetch_says_when_nothing_listens(tmp_path):
    source = YahooSource(tmp_path, "http://127.0.0.1:9", timeout=2.0)
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        source.fetch(RELIANCE, START, END)


@pytest.mark.parametrize("fault", ["rate_limit_once", "repeated_day", "unsorted"])
def test_fetch_gets_over_a_fault_that_loses_nothing(fault: Fault, yahoo, server, prices):
    server.break_symbol("RELIANCE.NS", fault)
    bars = yahoo.fetch(RELIANCE, START, END).bars
    pd.testing.assert_frame_equal(bars, served(prices, "RELIANCE.NS"))


@pytest.mark.parametrize("fault", ["unknown", "server_error", "html", "rate_limit"])
def test_fetch_succeeds_in_the_same_process_once_yahoo_recovers(fault: Fault, yahoo, server):
    server.break_symbol("RELIANCE.NS", fault)
    with pytest.raises((SourceUnavailableError, SourceDataError)):
        yahoo.fetch(RELIANCE, START, END)
    server.heal_symbol("RELIANCE.NS")
    assert len(yahoo.fetch(RELIANCE, START, END).bars) > 400


def test_fetch_marks_a_bar_without_prices_as_missing(yahoo, server):
    server.break_symbol("RELIANCE.NS", "missing_last")
    bars = yahoo.fetch(RELIANCE, START, END).bars
    assert bars["adj_close"].isna().tolist() == [False] * (len(bars) - 1) + [True]


def test_check_reachable_raises_only_when_yahoo_does_not_answer(yahoo, server, tmp_path: Path):
    server.break_symbol("RELIANCE.NS", "unknown")
    yahoo.check_reachable(RELIANCE)
    server.break_symbol("RELIANCE.NS", "server_error")
    with pytest.raises(SourceUnavailableError, match="HTTP status 502"):
        yahoo.check_reachable(RELIANCE)


@pytest.mark.slow
def test_fetch_works_in_a_process_that_has_loaded_tensorflow_before(server, tmp_path):
    script = (
        "import tensorflow, sys\n"
        "from datetime import date\n"
        "from pathlib import Path\n"
        "from roi_forecast.market.sources.yahoo import YahooSource\n"
        "from roi_forecast.universe import load_universe\n"
        "source = YahooSource(Path(sys.argv[1]), sys.argv[2])\n"
        "asset = load_universe().asset('RELIANCE.NS')\n"
        "print(len(source.fetch(asset, date(2024, 1, 1), date(2024, 1, 31)).bars))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), server.url]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) > 15
