"""Every input of ../shared/cases: what failed once, from the run's parameters to checked prices."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, select

from databases import REAL_PRICES
from roi_forecast.database.tables import daily_prices, extractions, price_checks
from roi_forecast.errors import PriceCheckError, RoiForecastError, SourceDataError, SourceError
from roi_forecast.market.checks.price_checks import PriceCheckReport, check_prices
from roi_forecast.market.extraction_batches import extract_batch
from roi_forecast.market.sources.registry import open_source
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.settings import Settings

CASES = REAL_PRICES.parents[1] / "cases"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAST = date(2024, 6, 28)

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}")

READ = {
    "base.csv",
    "constant_asset_2.5y.csv",
    "suspended_asset_2.5y.csv",
    "row_numbers.csv",
    "symbol_NA_and_odd_volumes.csv",
    "footer_total.csv",
    "two_headers.csv",
    "folder_readme",
    "folder_apple",
    "folder_empty",
    "yfinance_three_headers/AAA.csv",
}
REFUSED = {
    "shifted_thousands.csv": r"shifted_thousands\.csv, line 2: 13 fields under 8 names",
    "symbol_and_ticker.csv": r"and_ticker\.csv, line 1: .*'symbol' and 'Ticker' both mean symbol",
    "close_twice.csv": r"close_twice\.csv, line 1: .*'close' and 'Close' both mean close",
}


def extract(
    engine: Engine, settings: Settings, path: Path, symbols: Sequence[str], **parameters: Any
) -> PriceCheckReport:
    """Carry out a run up to its checked prices, with the parameters of the cases' README."""
    values = {
        "source": "csv",
        "csv_path": str(path),
        "symbols": symbols,
        "preset": "quick",
        "seq_len": 10,
        "epochs": 1,
        "start_date": "2023-06-01",
        "tensorboard": False,
        **parameters,
    }
    run = resolve_run(engine, settings, "case", values, lambda other: True, now=NOW)
    assert run.as_of_date == LAST
    source = open_source(run.config, settings, run.extraction_symbols)
    # As in the DAG, where the checks say what is usable.
    with suppress(SourceError):
        extract_batch(engine, run, run.extraction_symbols, source, now=NOW)
    return check_prices(engine, run)


def bars_of(engine: Engine, path: Path, symbol: str) -> pd.DataFrame:
    key = "csv:" + path.name.removesuffix(".csv")
    with engine.connect() as connection:
        return load_bars(connection, key, [symbol], date(2023, 6, 1), LAST).drop(columns="symbol")


@pytest.fixture(scope="module")
def base() -> dict[str, pd.DataFrame]:
    """The bars of the sound file, read by pandas alone."""
    frame = pd.read_csv(CASES / "base.csv", parse_dates=["date"]).rename(
        columns={"date": "trading_date"}
    )
    frame["trading_date"] = frame["trading_date"].dt.as_unit("us")
    frame["volume"] = frame["volume"].astype(float)
    return {
        symbol: own.drop(columns="symbol").reset_index(drop=True)
        for symbol, own in frame.groupby("symbol")
    }


def test_every_case_is_run_here() -> None:
    inputs = {path.name for path in CASES.iterdir()} - {"README.md", "tests"}
    assert inputs == {name.partition("/")[0] for name in READ | REFUSED.keys()}


@pytest.mark.parametrize("name", sorted(READ - {n for n in READ if "2.5y" in n}))
def test_a_case_is_read_as_the_sound_file_is(
    name: str, market_engine: Engine, settings: Settings, base: dict[str, pd.DataFrame]
) -> None:
    symbols = ["AAA"] if name.startswith("yfinance") else ["AAA", "BBB", "CCC"]
    report = extract(market_engine, settings, CASES / name, symbols)
    assert report.usable == tuple(symbols)
    for symbol in symbols:
        stored = bars_of(market_engine, CASES / name, symbol)
        pd.testing.assert_frame_equal(stored, base[symbol], check_exact=True)


@pytest.mark.parametrize("name", sorted(n for n in READ if "2.5y" in n))
def test_a_case_of_five_assets_is_read_whole(
    name: str, market_engine: Engine, settings: Settings
) -> None:
    symbols = ["AAA", "BBB", "CCC", "DDD", "EEE"]
    report = extract(market_engine, settings, CASES / name, symbols, start_date="2022-01-03")
    assert report.usable == tuple(symbols)
    with market_engine.connect() as connection:
        assert len(connection.execute(select(daily_prices)).all()) == 5 * 625


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_case_that_cannot_be_read_is_refused_with_file_and_line_and_stores_nothing(
    name: str, market_engine: Engine, settings: Settings
) -> None:
    with pytest.raises(RoiForecastError, match=REFUSED[name]) as refusal:
        extract(market_engine, settings, CASES / name, ["AAA", "BBB", "CCC"])
    assert str(refusal.value).count("\n") == 0
    with market_engine.connect() as connection:
        assert connection.execute(select(daily_prices)).all() == []


def test_shifted_rows_fail_each_extraction_with_file_and_line(
    market_engine: Engine, settings: Settings
) -> None:
    with pytest.raises(PriceCheckError, match=r"line 273: 13 fields under 8 names"):
        extract(
            market_engine,
            settings,
            CASES / "shifted_thousands.csv",
            ["AAA", "BBB", "CCC"],
            as_of_date=LAST,
        )
    with market_engine.connect() as connection:
        statuses = connection.execute(select(extractions.c.status, extractions.c.rows)).all()
        assert statuses == [("failed", 0)] * 3
        assert connection.execute(select(daily_prices)).all() == []


def test_odd_volumes_are_empty_and_reported_and_a_symbol_is_as_it_is_written(
    market_engine: Engine, settings: Settings
) -> None:
    path = CASES / "symbol_NA_and_odd_volumes.csv"
    symbols = ("AAA", "BBB", "CCC", "VNEG", "VBIG", "VINF", "NA")
    assert extract(market_engine, settings, path, symbols, quorum=0.3).usable == symbols
    written = pd.read_csv(path, keep_default_na=False)
    for symbol in symbols:
        own = written[written["symbol"] == symbol]
        volume = own["volume"].astype(float).reset_index(drop=True)
        expected = volume.where((volume >= 0) & (volume < 1e19))
        stored = bars_of(market_engine, path, symbol)
        assert stored["close"].tolist() == own["close"].tolist()
        pd.testing.assert_series_equal(stored["volume"], expected)
        assert expected.isna().sum() == (1 if symbol.startswith("V") else 0)
    with market_engine.connect() as connection:
        reported = connection.execute(
            select(price_checks.c.symbol, price_checks.c.message).where(
                price_checks.c.check_name == "invalid_volume", ~price_checks.c.passed
            )
        ).all()
    assert {row.symbol for row in reported} == {"VNEG", "VBIG", "VINF"}
    assert all("stored as empty" in row.message for row in reported)


def test_an_empty_file_costs_its_own_asset_alone(market_engine: Engine, settings: Settings) -> None:
    symbols = ["AAA", "BBB", "CCC", "DDD"]
    report = extract(market_engine, settings, CASES / "folder_empty", symbols, quorum=0.7)
    assert report.usable == ("AAA", "BBB", "CCC")
    assert "DDD.csv: not a table of prices but empty" in report.missing["DDD"]
    with market_engine.connect() as connection:
        failed = connection.execute(
            select(extractions.c.symbol, extractions.c.error).where(
                extractions.c.status == "failed"
            )
        ).all()
    assert [row.symbol for row in failed] == ["DDD"]
    assert failed[0].error.startswith(SourceDataError.__name__)
