"""What yfinance itself writes today, from a local server, is read back as it was served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from market.sources.csv_files.test_formats import fetch
from market.yahoo_server import YahooServer
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files import CsvSource, understand
from roi_forecast.market.sources.yahoo_session import YahooSession  # before yfinance

SYMBOLS = ("RELIANCE.NS", "GC=F")
SPAN = {"start": "2023-01-01", "end": "2025-01-01"}
Download = Callable[..., pd.DataFrame]


@pytest.fixture
def session(server: YahooServer) -> Iterator[YahooSession]:
    with YahooSession(5.0, server.url) as session:
        yield session


@pytest.fixture
def download(session: YahooSession, tmp_path: Path) -> Download:
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path / "cache"))

    def download(*symbols: str, **options: object) -> pd.DataFrame:
        return yfinance.download(
            list(symbols), **SPAN, session=session, threads=False, progress=False, **options
        )

    return download


def served(prices: pd.DataFrame, symbol: str) -> pd.DataFrame:
    rows = prices.loc[prices["symbol"] == symbol, list(BAR_COLUMNS)]
    return rows.sort_values("trading_date", ignore_index=True)


def check(path: Path, prices: pd.DataFrame, symbol: str, *, adjusted: bool) -> None:
    fetched = fetch(path, symbol)
    expected = served(prices, symbol)
    if adjusted:
        factor = expected["adj_close"] / expected["close"]
        for column in ("open", "high", "low", "close"):
            expected[column] *= factor
    assert fetched.missing == (("adj_close",) if adjusted else ())
    pd.testing.assert_frame_equal(fetched.bars, expected, rtol=1e-12, atol=0)


def written(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("group_by", ["column", "ticker"])
def test_a_download_of_several_symbols(ending, adjusted, group_by, download, prices, tmp_path):
    frame = download(*SYMBOLS, auto_adjust=adjusted, group_by=group_by)
    path = written(frame, tmp_path / f"prices{ending}")
    assert set(CsvSource("k", path).symbols()) == set(SYMBOLS)
    kind = "adjusted" if adjusted else "unadjusted"
    assert understand(path)[0].format == f"yfinance download, {kind}"
    for symbol in SYMBOLS:
        check(path, prices, symbol, adjusted=adjusted)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("levels", [True, False])
def test_a_download_of_one_symbol(ending, levels, download, prices, tmp_path):
    frame = download("GC=F", multi_level_index=levels)
    check(written(frame, tmp_path / f"GC=F{ending}"), prices, "GC=F", adjusted=True)


def test_a_download_in_long_form(download, prices, tmp_path):
    frame = download(*SYMBOLS, auto_adjust=False).stack(level="Ticker").dropna(how="all")
    for ending in (".csv", ".parquet"):
        path = written(frame, tmp_path / f"prices{ending}")
        check(path, prices, "RELIANCE.NS", adjusted=False)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("adjusted", [True, False])
def test_a_history(ending, adjusted, session, prices, tmp_path):
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    frame = yfinance.Ticker("RELIANCE.NS", session=session).history(**SPAN, auto_adjust=adjusted)
    path = written(frame, tmp_path / f"RELIANCE.NS{ending}")
    check(path, prices, "RELIANCE.NS", adjusted=adjusted)
    if adjusted:
        assert understand(path)[0].format == "yfinance history, adjusted"
