"""From bars that lack columns to what is stored and said of them."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, select

from incomplete_source import CLOSES_ONLY, IncompleteSource
from roi_forecast.database.tables import daily_prices, extractions, price_checks
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.extraction_batches import extract_batch
from roi_forecast.market.missing_columns import in_words, incomplete_bars, load_missing_columns
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.stored_bars import load_bars, load_last_bars
from roi_forecast.universe import load_universe

from .conftest import END, START, RunFactory
from .test_extraction import NOW

SYMBOL = "RELIANCE.NS"


def stored_nulls(engine: Engine, symbol: str = SYMBOL) -> set[str]:
    """The columns that are NULL in every stored bar."""
    with engine.connect() as connection:
        statement = select(daily_prices).where(daily_prices.c.symbol == symbol)
        rows = connection.execute(statement).mappings().all()
    assert rows
    return {name for name in BAR_COLUMNS if all(row[name] is None for row in rows)}


def simulated_run(make_run: RunFactory, run_id: str = "run-1", **parameters):
    return make_run(run_id, source="simulated", **parameters)


@pytest.mark.parametrize("missing", [("open",), ("high", "low"), ("volume",), CLOSES_ONLY])
def test_a_missing_column_is_stored_as_null_and_nothing_else_is(
    missing: tuple[str, ...], market_engine: Engine, make_run: RunFactory
) -> None:
    source = IncompleteSource({SYMBOL: missing})
    extract_prices(market_engine, simulated_run(make_run), SYMBOL, source, now=NOW)
    assert stored_nulls(market_engine) == set(missing) - {"adj_close"}
    expected = source.fetch(load_universe().asset(SYMBOL), START, END).bars
    with market_engine.connect() as connection:
        stored = load_bars(connection, "simulated", [SYMBOL], START, END).drop(columns="symbol")
        last = load_last_bars(connection, "simulated", [SYMBOL], END).drop(columns="symbol")
        record = connection.execute(select(extractions)).mappings().one()
    pd.testing.assert_frame_equal(stored, expected)
    assert set(last.columns[last.isna().all()]) == set(missing) - {"adj_close"}
    assert record["missing_columns"] == list(missing)


def test_the_same_incomplete_bars_again_change_no_row(
    market_engine: Engine, make_run: RunFactory
) -> None:
    source = IncompleteSource({SYMBOL: CLOSES_ONLY})
    run = simulated_run(make_run)
    extract_prices(market_engine, run, SYMBOL, source, now=NOW)
    assert extract_prices(market_engine, run, SYMBOL, source, now=NOW).changed == 0


@pytest.mark.parametrize(
    ("before", "after"), [((), CLOSES_ONLY), (CLOSES_ONLY, ()), (("adj_close",), ())]
)
def test_a_source_with_other_columns_than_before_is_fetched_whole_so_that_history_is_of_one_kind(
    before: tuple[str, ...], after: tuple[str, ...], market_engine: Engine, make_run: RunFactory
) -> None:
    first, second = IncompleteSource({SYMBOL: before}), IncompleteSource({SYMBOL: after})
    extract_prices(market_engine, simulated_run(make_run, "one"), SYMBOL, first, now=NOW)
    later = simulated_run(make_run, "two", start_date="2024-01-02")
    extract_prices(market_engine, later, SYMBOL, second, now=NOW)
    assert second.requests[-1][1] == START
    with market_engine.connect() as connection:
        stored = load_bars(connection, "simulated", [SYMBOL], START, END).drop(columns="symbol")
    pd.testing.assert_frame_equal(
        stored, second.fetch(load_universe().asset(SYMBOL), START, END).bars
    )


def test_a_run_for_a_past_date_leaves_no_later_bar_with_other_columns(
    market_engine: Engine, make_run: RunFactory
) -> None:
    first, second = IncompleteSource({}), IncompleteSource({SYMBOL: ("open", "adj_close")})
    extract_prices(market_engine, simulated_run(make_run, "one"), SYMBOL, first, now=NOW)
    past = simulated_run(make_run, "past", as_of_date="2024-06-28")
    extract_prices(market_engine, past, SYMBOL, second, now=NOW)
    with market_engine.connect() as connection:
        stored = load_bars(connection, "simulated", [SYMBOL], START, END).drop(columns="symbol")
    expected = second.fetch(load_universe().asset(SYMBOL), START, END).bars
    pd.testing.assert_frame_equal(stored, expected)


def test_a_source_with_the_same_columns_is_asked_for_the_overlap_only(
    market_engine: Engine, make_run: RunFactory
) -> None:
    source = IncompleteSource({SYMBOL: ("volume", "open")})
    extract_prices(market_engine, simulated_run(make_run, "one"), SYMBOL, source, now=NOW)
    source.missing = {SYMBOL: ("open", "volume")}
    extract_prices(market_engine, simulated_run(make_run, "two"), SYMBOL, source, now=NOW)
    assert len(source.requests) == 2
    assert source.requests[-1][1] > START


def test_many_assets_that_lack_the_same_are_one_line_of_the_log_and_a_check_each(
    market_engine: Engine, make_run: RunFactory, caplog: pytest.LogCaptureFixture
) -> None:
    run = simulated_run(make_run)
    source = IncompleteSource(dict.fromkeys(run.config.symbols, ("open", "high", "low")))
    with caplog.at_level(logging.WARNING):
        extract_batch(market_engine, run, run.config.symbols, source, now=NOW)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        (
            "RELIANCE.NS, TCS.NS, INFY.NS and 1 more: no open, high, low: the opening gap is not "
            "forecast apart, the interval scale rests on closes"
        )
    ]
    check = price_checks.c
    with market_engine.connect() as connection:
        found = connection.execute(
            select(check.symbol, check.severity, check.passed).where(
                check.check_name == "incomplete_bars"
            )
        ).all()
    assert sorted(found) == [(symbol, "warn", False) for symbol in sorted(run.config.symbols)]


def test_a_context_asset_needs_nothing_but_its_adjusted_close(
    market_engine: Engine, make_run: RunFactory, caplog: pytest.LogCaptureFixture
) -> None:
    run = simulated_run(make_run, context_symbols=("^GSPC", "CL=F"))
    source = IncompleteSource({"^GSPC": ("open", "high", "low", "volume"), "CL=F": CLOSES_ONLY})
    with caplog.at_level(logging.WARNING):
        extract_batch(market_engine, run, ["^GSPC", "CL=F"], source, now=NOW)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "CL=F: no adj_close: returns are price returns, so dividends and splits look like moves"
    ]
    with market_engine.connect() as connection:
        lacking = load_missing_columns(connection, "simulated", [SYMBOL], run.context.symbols)
        as_assets = load_missing_columns(connection, "simulated", ["CL=F"], ["CL=F"])
    assert lacking == {"CL=F": ("adj_close",)}
    assert set(as_assets["CL=F"]) == set(CLOSES_ONLY)


def test_what_is_missing_is_what_the_source_lacked_when_it_last_gave_bars(
    market_engine: Engine, make_run: RunFactory
) -> None:
    for run_id, missing in (("one", ("open",)), ("two", ("volume", "high"))):
        source = IncompleteSource({SYMBOL: missing})
        extract_prices(market_engine, simulated_run(make_run, run_id), SYMBOL, source, now=NOW)
    source.fetch = failing  # type: ignore[method-assign]
    for run_id in ("two", "three"):
        with pytest.raises(OSError, match="no answer"):
            extract_prices(market_engine, simulated_run(make_run, run_id), SYMBOL, source, now=NOW)
    with market_engine.connect() as connection:
        assert load_missing_columns(connection, "simulated", [SYMBOL, "TCS.NS"]) == {
            SYMBOL: ("high", "volume")
        }
        assert load_missing_columns(connection, "yahoo", [SYMBOL]) == {}


def failing(*_: object) -> None:
    raise OSError("no answer")


def test_empty_values_are_counted_once_for_each_column() -> None:
    bars = SimulatedSource().fetch(load_universe().asset(SYMBOL), START, END).bars
    bars.loc[[3, 7], "open"] = np.nan
    bars.loc[9, "volume"] = np.nan
    (result,) = incomplete_bars(SYMBOL, bars, ("high",), context=False)
    assert result.message == (
        f"{SYMBOL}: no high: the interval scale rests on closes; open is empty in 2 of {len(bars)} "
        f"bars; volume is empty in 1 of {len(bars)} bars"
    )
    assert incomplete_bars(SYMBOL, bars, (), context=True) == []
    assert incomplete_bars(SYMBOL, bars.dropna(), (), context=False) == []


def test_every_missing_column_has_a_consequence() -> None:
    assert {
        in_words([name]).count(":") for name in BAR_COLUMNS if name not in ("trading_date", "close")
    } == {1}
    assert in_words(CLOSES_ONLY) == (
        "no open, high, low, adj_close, volume: the opening gap is not forecast apart, the "
        "interval scale rests on closes, unusual volume does not widen intervals, returns are "
        "price returns, so dividends and splits look like moves"
    )
