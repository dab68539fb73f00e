from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from roi_forecast.database.tables import extractions
from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.extraction_batches import (
    MAX_UNANSWERED,
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


@given(count=st.integers(0, 5000))
def test_batches_hold_every_symbol_once_in_order_and_differ_by_one_at_most(count):
    symbols = [f"SIM{number}.NS" for number in range(count)]
    batches = extraction_batches(symbols)
    assert [symbol for batch in batches for symbol in batch] == symbols
    sizes = {len(batch) for batch in batches}
    assert not sizes or max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("assets", "tasks"), [(1, 1), (32, 32), (33, 16), (5000, 16)])
def test_few_assets_get_a_task_each_and_thousands_no_more_than_two_for_each_slot(assets, tasks):
    batches = extraction_batches([f"SIM{number}.NS" for number in range(assets)])
    assert len(batches) == tasks
    # What Airflow passes on to the tasks, all in one.
    assert len(json.dumps(batches)) < 20 * assets


class FailingFor:
    """The simulated market, which fails for some symbols."""

    key = SimulatedSource.key

    def __init__(self, failures: dict[str, Exception]) -> None:
        self._failures = failures
        self._market = SimulatedSource(today=END)
        self.asked: list[str] = []

    def fetch(self, asset, start, end):
        self.asked.append(asset.symbol)
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


def test_another_attempt_asks_only_for_what_this_run_has_not_extracted_since_the_first_one(
    market_engine, make_run
):
    run = make_run(source="simulated")
    symbols = ["TCS.NS", SYMBOL, "INFY.NS"]
    market = FailingFor({"INFY.NS": SourceUnavailableError("no answer")})
    began = datetime.now(UTC) - timedelta(seconds=5)
    with pytest.raises(SourceUnavailableError):
        extract_batch(market_engine, run, symbols, market, now=NOW, will_retry=True)

    market = FailingFor({})
    extract_batch(market_engine, run, symbols, market, now=NOW, done_since=began)
    assert market.asked == ["INFY.NS"]
    assert set(statuses(market_engine).values()) == {"ok"}

    cleared = FailingFor({})
    later = datetime.now(UTC) + timedelta(minutes=1)
    extract_batch(market_engine, run, symbols, cleared, now=NOW, done_since=later)
    extract_batch(market_engine, run, symbols, cleared, now=NOW)
    assert cleared.asked == 2 * symbols


def test_a_source_that_gives_no_answer_is_asked_for_all_assets_in_the_last_attempt_alone(
    market_engine, make_run, caplog
):
    run = make_run(source="simulated")
    symbols = [f"SIM{number}.NS" for number in range(MAX_UNANSWERED + 3)]
    down = FailingFor(dict.fromkeys(symbols, SourceUnavailableError("no answer")))
    with pytest.raises(SourceUnavailableError), caplog.at_level(logging.WARNING):
        extract_batch(market_engine, run, symbols, down, now=NOW, will_retry=True)
    assert down.asked == symbols[:MAX_UNANSWERED]
    assert "the next attempt asks for the other 3" in caplog.text

    down.asked.clear()
    with pytest.raises(SourceUnavailableError):
        extract_batch(market_engine, run, symbols, down, now=NOW)
    assert down.asked == symbols


def test_answers_in_between_keep_a_batch_going(market_engine, make_run):
    run = make_run(source="simulated")
    symbols = [f"SIM{number}.NS" for number in range(2 * MAX_UNANSWERED)]
    failing = symbols[: MAX_UNANSWERED - 1] + symbols[MAX_UNANSWERED:-1]
    market = FailingFor(dict.fromkeys(failing, SourceUnavailableError("no answer")))
    with pytest.raises(SourceUnavailableError):
        extract_batch(market_engine, run, symbols, market, now=NOW, will_retry=True)
    assert market.asked == symbols


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
