"""Context assets from a run's parameters to its checks: no fault of theirs costs the run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from sqlalchemy import Engine, select, text

from roi_forecast.database.tables import daily_prices, extractions
from roi_forecast.errors import PriceCheckError, SourceDataError
from roi_forecast.features.build import build_dataset
from roi_forecast.market.checks.price_checks import (
    PriceCheckReport,
    check_prices,
    usable_context_symbols,
)
from roi_forecast.market.extraction_batches import extract_batch, extraction_batches
from roi_forecast.market.sources.registry import open_source
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.planning.resolve import resolve_run
from roi_forecast.reading.health import read_asset_states, read_health
from roi_forecast.runs.attempts import record_start
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe
from roi_web.charts.assets import asset_state

from .conftest import END, START, SYMBOLS
from .yahoo_server import AnswerFault, ContentFault, YahooServer

NOW = datetime(2024, 12, 31, 12, tzinfo=UTC)
CONTEXT = ("KO", "INR=X", "CL=F")

# These change single bars, which are dropped, or nothing that is stored.
# KO's bars have the same dates in the other time zones.
HARMLESS = {
    *("rate_limit_once", "missing_last", "repeated_day", "unsorted"),
    *("zero", "negative", "tenfold", "impossible_volumes"),
    "other_currency",
    "no_currency",
    "equivalent_time_zone",
    "other_time_zone",
}
HARMFUL = sorted({*get_args(AnswerFault), *get_args(ContentFault)} - HARMLESS)


def bars_of(symbols: Sequence[str]) -> pd.DataFrame:
    market = SimulatedSource()
    frames = [
        market.fetch(asset, START, END).bars.assign(symbol=asset.symbol)
        for asset in load_universe().select(symbols)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return bars_of([*SYMBOLS, *CONTEXT])


@pytest.fixture
def server(prices: pd.DataFrame) -> Iterator[YahooServer]:
    with YahooServer(prices) as running:
        yield running


def resolve(engine: Engine, settings: Settings, **parameters: Any) -> ResolvedRun:
    values = {"source": "yahoo", "symbols": SYMBOLS, "start_date": START, "quorum": 1.0}
    return resolve_run(engine, settings, "run", values | parameters, lambda other: True, now=NOW)


def carry_out(engine: Engine, settings: Settings, run: ResolvedRun) -> PriceCheckReport:
    """Extract and check as the DAG does: a batch for each symbol, none of which may fail."""
    for symbols in extraction_batches(run.extraction_symbols):
        source = open_source(run.config, settings, symbols)
        extract_batch(engine, run, symbols, source, now=NOW)
    return check_prices(engine, run)


def found_by_sql(engine: Engine, symbol: str) -> dict[str, str]:
    """The failed checks of a symbol, as a person finds them."""
    query = text("SELECT check_name, severity FROM roi.failed_price_checks WHERE symbol = :symbol")
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query, {"symbol": symbol})}


def last_stored(engine: Engine, symbol: str) -> date | None:
    dates = select(daily_prices.c.trading_date).where(daily_prices.c.symbol == symbol)
    with engine.connect() as connection:
        return max(connection.scalars(dates), default=None)


def test_sound_context_is_extracted_like_an_asset_and_checked(
    market_engine: Engine, settings: Settings, server: YahooServer
) -> None:
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=CONTEXT)
    report = carry_out(market_engine, served, run)
    assert report.usable == SYMBOLS
    with market_engine.connect() as connection:
        assert usable_context_symbols(connection, "run") == CONTEXT
        status = connection.execute(select(extractions.c.symbol, extractions.c.status)).all()
    assert dict(map(tuple, status)) == dict.fromkeys((*SYMBOLS, *CONTEXT), "ok")
    assert all(result.passed for result in report.results)


@pytest.mark.parametrize("fault", HARMFUL)
def test_a_fault_of_a_context_asset_is_a_warning_with_its_name_that_sql_finds(
    fault: AnswerFault | ContentFault,
    market_engine: Engine,
    settings: Settings,
    server: YahooServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(
        "roi_forecast.market.sources.yahoo.YahooSource.__init__.__defaults__", (5.0,)
    )
    server.break_symbol("KO", fault)
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=CONTEXT)
    with caplog.at_level(logging.WARNING):
        report = carry_out(market_engine, served, run)
    assert report.usable == SYMBOLS
    assert report.missing == {}
    with market_engine.connect() as connection:
        assert usable_context_symbols(connection, "run") == ("INR=X", "CL=F")
    assert set(found_by_sql(market_engine, "KO").values()) == {"warn"}
    assert "usable_context" in found_by_sql(market_engine, "KO")
    assert any(
        record.levelno == logging.WARNING and "KO" in record.getMessage()
        for record in caplog.records
    )


def test_context_whose_dates_are_shifted_by_a_day_is_no_part_of_the_dataset(
    market_engine: Engine, settings: Settings, server: YahooServer
) -> None:
    server.break_symbol("KO", "shifted")
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=CONTEXT)
    carry_out(market_engine, served, run)
    dataset = build_dataset(market_engine, run, settings.datasets_directory)
    assert dataset.context_symbols == ("INR=X", "CL=F")


def test_a_context_asset_that_yahoo_does_not_know_costs_neither_run_nor_quorum(
    market_engine: Engine, settings: Settings, server: YahooServer
) -> None:
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=["^GSPC", "KO"])
    assert carry_out(market_engine, served, run).usable == SYMBOLS
    with market_engine.connect() as connection:
        error = connection.scalar(
            select(extractions.c.error).where(
                extractions.c.symbol == "^GSPC", extractions.c.status == "failed"
            )
        )
    assert error.startswith("UnknownSymbolError: ^GSPC: Yahoo does not know the symbol")
    assert found_by_sql(market_engine, "^GSPC") == dict.fromkeys(
        ("extraction", "history", "usable_context"), "warn"
    )


def test_an_asset_with_the_same_fault_costs_its_quorum_even_if_it_is_context_too(
    market_engine: Engine, settings: Settings, server: YahooServer
) -> None:
    server.break_symbol("TCS.NS", "unknown")
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=["KO", "TCS.NS"])
    with pytest.raises(SourceDataError, match=r"TCS\.NS: Yahoo does not know"):
        extract_batch(
            market_engine,
            run,
            run.extraction_symbols,
            open_source(run.config, served),
            now=NOW,
        )
    with pytest.raises(PriceCheckError, match="3 of 4 assets have usable prices"):
        check_prices(market_engine, run)
    assert found_by_sql(market_engine, "TCS.NS")["usable"] == "drop_asset"
    assert found_by_sql(market_engine, "TCS.NS")["usable_context"] == "warn"


@pytest.mark.parametrize(("stale", "is_usable"), [(1, True), (3, True), (4, False)])
def test_stale_context_is_named_and_left_out_after_three_sessions(
    stale: int,
    is_usable: bool,
    market_engine: Engine,
    settings: Settings,
    server: YahooServer,
    prices: pd.DataFrame,
) -> None:
    # The last session whose bar of KO is final when forecasts are due is END.
    server.replace_prices("KO", prices[prices["symbol"] == "KO"].iloc[:-stale])
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=["KO"])
    carry_out(market_engine, served, run)
    assert "staleness" in found_by_sql(market_engine, "KO")
    with market_engine.connect() as connection:
        assert (usable_context_symbols(connection, "run") == ("KO",)) is is_usable


def test_a_bar_that_is_final_too_late_is_neither_stored_nor_missed(
    market_engine: Engine, settings: Settings, server: YahooServer
) -> None:
    served = replace(settings, source_urls={"yahoo": server.url})
    run = resolve(market_engine, served, context_symbols=["INR=X"], as_of_date=END)
    # The metals open at 18:00 in New York: Monday's London day of currencies ends after that.
    record_start(market_engine, "run", "daily_roi_forecast", run.model_name, now=NOW)
    assert run.published_at == datetime(2024, 12, 30, 22, 15, tzinfo=UTC)
    carry_out(market_engine, served, run)
    assert last_stored(market_engine, "INR=X") == date(2024, 12, 27)
    assert found_by_sql(market_engine, "INR=X") == {}
    with market_engine.connect() as connection:
        (summary,) = read_health(connection)
        health = read_asset_states(connection, run.model_name)
    assert (summary.assets, summary.assets_up_to_date) == (len(SYMBOLS), len(SYMBOLS))
    assert summary.oldest_last_bar == END
    assert {row.symbol: row.context for row in health} == {
        **dict.fromkeys(SYMBOLS, False),
        "INR=X": True,
    }
    assert {asset_state(row) for row in health} == {"well"}


def test_before_the_opening_context_of_the_next_day_is_extracted_as_far_as_it_is_final(
    market_engine: Engine, settings: Settings
) -> None:
    friday, monday = date(2024, 12, 27), date(2024, 12, 30)
    with YahooServer(bars_of(["KO", "TCS.NS", "CL=F"])) as server:
        served = replace(settings, source_urls={"yahoo": server.url})
        run = resolve(
            market_engine,
            served,
            symbols=["KO"],
            context_symbols=["TCS.NS", "CL=F"],
            publish="before_open",
            as_of_date=friday,
        )
        # 08:30 in New York, 19:00 in Mumbai.
        assert run.published_at == datetime(2024, 12, 30, 13, 30, tzinfo=UTC)
        report = carry_out(market_engine, served, run)
    assert report.usable == ("KO",)
    assert last_stored(market_engine, "KO") == friday
    assert last_stored(market_engine, "TCS.NS") == monday
    assert last_stored(market_engine, "CL=F") == friday
    assert all(result.passed for result in report.results)


def test_an_asset_that_is_context_before_the_opening_gets_the_bars_of_both(
    market_engine: Engine, settings: Settings
) -> None:
    with YahooServer(bars_of(["KO", "JPM", "TCS.NS"])) as server:
        served = replace(settings, source_urls={"yahoo": server.url})
        run = resolve(
            market_engine,
            served,
            symbols=["KO", "JPM", "TCS.NS"],
            context_symbols=["TCS.NS"],
            publish="before_open",
            as_of_date="2024-12-26",
        )
        report = carry_out(market_engine, served, run)
    # The NSE opens first, so nothing of it is known a day ahead.
    assert run.published_at == datetime(2024, 12, 27, 2, 45, tzinfo=UTC)
    assert last_stored(market_engine, "TCS.NS") == date(2024, 12, 26)
    assert report.usable == ("KO", "JPM", "TCS.NS")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_context_of_a_file_is_read_from_it_and_what_it_lacks_is_a_warning(
    kind: str, market_engine: Engine, settings: Settings, tmp_path: Path, prices: pd.DataFrame
) -> None:
    bars = prices.rename(columns={"trading_date": "date"})
    path = tmp_path / "prices.csv"
    if kind == "file":
        bars.to_csv(path, index=False)
    else:
        path = tmp_path / "prices"
        path.mkdir()
        for symbol, own in bars.groupby("symbol"):
            own.to_csv(path / f"{symbol}.csv", index=False)
    run = resolve(
        market_engine,
        settings,
        source="csv",
        csv_path=str(path),
        context_symbols=["KO", "JPM", "^GSPC"],
    )
    assert carry_out(market_engine, settings, run).usable == SYMBOLS
    with market_engine.connect() as connection:
        assert usable_context_symbols(connection, "run") == ("KO",)
    assert last_stored(market_engine, "KO") == END
    for symbol in ("JPM", "^GSPC"):
        assert set(found_by_sql(market_engine, symbol).values()) == {"warn"}
