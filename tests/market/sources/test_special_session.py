from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from daily_run import prepare
from market.yahoo_server import YahooServer
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.market.sources.special_session import MAX_QUERIED, is_special_session
from roi_forecast.market.sources.yahoo import YahooSource
from roi_forecast.universe import load_universe

SPECIAL = date(2024, 11, 1)  # Diwali's evening session, which XBOM lacks
SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F")
ASSETS = load_universe().select(SYMBOLS)


def bars_on(symbols: tuple[str, ...]) -> pd.DataFrame:
    days = [date(2024, 10, 31), SPECIAL, date(2024, 11, 4)]
    rows = [
        (symbol, pd.Timestamp(day), *[10.0] * 5, 1)
        for symbol in SYMBOLS
        for day in days
        if day != SPECIAL or symbol in symbols
    ]
    names = ["symbol", "trading_date", "open", "high", "low", "close", "adj_close", "volume"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (("RELIANCE.NS", "TCS.NS", "INFY.NS"), True),
        (("TCS.NS", "INFY.NS"), True),
        (("INFY.NS", "GC=F"), False),
        ((), False),
    ],
)
def test_date_is_special_where_most_assets_of_the_reference_calendar_have_a_bar(
    symbols, expected, tmp_path
):
    with YahooServer(bars_on(symbols)) as server:
        source = YahooSource(tmp_path, server.url)
        assert is_special_session(source, ASSETS, SPECIAL) is expected


def test_a_wrong_date_of_a_large_run_costs_few_requests(tmp_path):
    assets = load_universe().select([f"S{number}.NS" for number in range(200)])
    bars = bars_on(())
    some = bars[bars["symbol"] == "TCS.NS"]
    prices = pd.concat([some.assign(symbol=asset.symbol) for asset in assets])
    with YahooServer(prices) as server:
        assert not is_special_session(YahooSource(tmp_path, server.url), assets, SPECIAL)
    assert 0 < len(server.requests) <= MAX_QUERIED


def test_real_prices_know_the_special_session(real_prices_path):
    source = CsvSource("csv:daily_prices", real_prices_path)
    assert is_special_session(source, ASSETS, SPECIAL)
    assert not is_special_session(source, ASSETS, date(2024, 11, 2))


def test_run_as_of_a_special_session_ends_its_rows_there(market_engine, settings, real_prices_path):
    parameters = {
        "source": "csv",
        "csv_path": str(real_prices_path),
        "symbols": SYMBOLS,
        "as_of_date": "2024-11-01",
    }
    run, dataset = prepare(market_engine, settings, "special", parameters)
    assert run.as_of_date == SPECIAL
    assert dataset.dates[-1] == np.datetime64(SPECIAL)
    assert set(dataset.symbols) == set(SYMBOLS)


def test_file_that_ends_with_a_special_session_ends_the_run_there(
    market_engine, settings, real_prices_path, tmp_path
):
    real = pd.read_csv(real_prices_path, dtype=str)
    path = tmp_path / "until_special.csv"
    real[real["date"] <= "2024-11-01"].to_csv(path, index=False)
    parameters = {"source": "csv", "csv_path": str(path), "symbols": SYMBOLS, "as_of_date": None}
    run, _ = prepare(market_engine, settings, "special", parameters)
    assert run.as_of_date == SPECIAL
