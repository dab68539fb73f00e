from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from roi_forecast.database.tables import extractions
from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.extraction_batches import (
    MAX_BATCHES,
    extract_batch,
    extraction_batches,
)
from roi_forecast.market.sources.simulated import SimulatedSource

from .conftest import END, SYMBOLS

NOW = datetime(2024, 12, 31, 12, 0, tzinfo=UTC)
SYMBOL = SYMBOLS[0]


def statuses(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        columns = (extractions.c.symbol, extractions.c.status)
        return dict(connection.execute(select(*columns)).tuples().all())


@given(count=st.integers(0, 500), most=st.integers(1, 60))
def test_batches_hold_every_symbol_once_in_order_and_differ_by_one_at_most(count, most):
    symbols = [f"SIM{number}.NS" for number in range(count)]
    batches = extraction_batches(symbols, most)
    assert [symbol for batch in batches for symbol in batch] == symbols
    assert len(batches) == min(count, most)
    sizes = {len(batch) for batch in batches}
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_a_universe_of_thousands_stays_below_the_tasks_that_airflow_maps():
    assert len(extraction_batches([f"SIM{number}.NS" for number in range(5000)])) == MAX_BATCHES
    assert extraction_batches(["A", "B", "C"]) == [["A"], ["B"], ["C"]]


class FailingFor:
    """The simulated market, which fails for some symbols."""

    key = SimulatedSource.key

    def __init__(self, failures: dict[str, Exception]) -> None:
        self._failures = failures
        self._market = SimulatedSource(today=END)

    def fetch(self, asset, start, end):
        if asset.symbol in self._failures:
            raise self._failures[asset.symbol]
        return self._market.fetch(asset, start, end)


def test_a_batch_continues_after_a_failure_and_raises_the_one_that_a_retry_may_fix(
    market_engine, make_run
):
    run = make_run(source="simulated")
    failures = {
        "TCS.NS": SourceDataError("nothing usable"),
        "INFY.NS": SourceUnavailableError("no answer"),
    }
    symbols = ["TCS.NS", SYMBOL, "INFY.NS", "ITC.NS"]

    with pytest.raises(SourceUnavailableError, match="no answer"):
        extract_batch(market_engine, run, symbols, FailingFor(failures), now=NOW)
    assert statuses(market_engine) == {
        "TCS.NS": "failed",
        SYMBOL: "ok",
        "INFY.NS": "failed",
        "ITC.NS": "ok",
    }

    del failures["INFY.NS"]
    with pytest.raises(SourceDataError, match="nothing usable"):
        extract_batch(market_engine, run, symbols, FailingFor(failures), now=NOW)
    del failures["TCS.NS"]
    results = extract_batch(market_engine, run, symbols, FailingFor(failures), now=NOW)
    assert [result.symbol for result in results] == symbols


def test_a_batch_with_a_context_asset_that_the_source_refuses_succeeds_and_names_it(
    market_engine, make_run, caplog
):
    run = make_run(source="simulated", context_symbols=["KO", "JPM"])
    market = FailingFor({"KO": SourceDataError("delisted")})
    with caplog.at_level(logging.WARNING):
        results = extract_batch(market_engine, run, ["KO", "JPM"], market, now=NOW, will_retry=True)
    assert [result.symbol for result in results] == ["JPM"]
    assert statuses(market_engine) == {"KO": "failed", "JPM": "ok"}
    assert "KO (context): extraction failed: delisted" in caplog.text


@pytest.mark.parametrize("is_own", ["asset", "asset of the champion"])
def test_an_asset_that_is_context_as_well_fails_as_an_asset(is_own, market_engine, make_run):
    symbols = ("KO", *SYMBOLS) if is_own == "asset" else SYMBOLS
    run = make_run(source="simulated", symbols=symbols, context_symbols=["KO"])
    if is_own != "asset":
        run = run.model_copy(update={"champion_symbols": ("KO",)})
    market = FailingFor({"KO": SourceDataError("delisted")})
    with pytest.raises(SourceDataError, match="delisted"):
        extract_batch(market_engine, run, ["KO"], market, now=NOW)


def test_a_context_asset_without_an_answer_is_tried_again_and_then_done_without(
    market_engine, make_run
):
    run = make_run(source="simulated", context_symbols=["KO"])
    market = FailingFor({"KO": SourceUnavailableError("no answer")})
    extract_batch(market_engine, run, [SYMBOL], market, now=NOW)
    with pytest.raises(SourceUnavailableError, match="no answer"):
        extract_batch(market_engine, run, ["KO"], market, now=NOW, will_retry=True)
    assert extract_batch(market_engine, run, ["KO"], market, now=NOW) == []


def test_a_source_that_answers_for_nothing_fails_its_context_assets_too(market_engine, make_run):
    run = make_run(source="simulated", context_symbols=["KO"])
    market = FailingFor(dict.fromkeys((SYMBOL, "KO"), SourceUnavailableError("no answer")))
    for symbol in (SYMBOL, "KO"):
        with pytest.raises(SourceUnavailableError, match="no answer"):
            extract_batch(market_engine, run, [symbol], market, now=NOW)
