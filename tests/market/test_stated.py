"""A currency that a source changes: pence to pounds would be a move of 99 %."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, select

from incomplete_source import IncompleteSource
from roi_forecast.database.tables import assets, daily_prices, extractions
from roi_forecast.errors import SourceDataError
from roi_forecast.market.extraction import extract_prices
from roi_forecast.market.sources.source import FetchedBars

from .conftest import RunFactory
from .test_extraction import NOW, stored

SYMBOL = "RELIANCE.NS"


def extract(
    engine: Engine,
    make_run: RunFactory,
    run_id: str,
    currency: str | None,
    factor: float = 1.0,
    asset_class: str | None = None,
) -> None:
    market = IncompleteSource({}, key="csv:file")

    class Stating(IncompleteSource):
        def fetch(self, *args) -> FetchedBars:
            bars = market.fetch(*args).bars
            bars[["open", "high", "low", "close", "adj_close"]] *= factor
            return FetchedBars(bars, (), currency, asset_class)

    run = make_run(run_id, source="csv", csv_path="file.csv")
    extract_prices(engine, run, SYMBOL, Stating({}, key="csv:file"), now=NOW)


def stored_asset(engine: Engine) -> tuple[str, str]:
    with engine.connect() as connection:
        return tuple(connection.execute(select(assets.c.currency, assets.c.asset_class)).one())


def test_what_the_source_states_wins_over_the_universe(
    market_engine: Engine, make_run: RunFactory
) -> None:
    extract(market_engine, make_run, "one", None)
    assert stored_asset(market_engine) == ("INR", "stock")
    extract(market_engine, make_run, "two", "USD", asset_class="fund")
    assert stored_asset(market_engine) == ("USD", "fund")
    extract(market_engine, make_run, "three", None)
    assert stored_asset(market_engine) == ("USD", "stock")


def test_pence_that_become_pounds_are_refused_and_nothing_is_stored(
    market_engine: Engine, make_run: RunFactory
) -> None:
    extract(market_engine, make_run, "one", "GBp")
    extract(market_engine, make_run, "silent", None)
    before = stored(market_engine, source="csv:file")
    # Again in the same run: a failed attempt must not make the next one forget.
    for run_id in ("one", "two", "two"):
        with pytest.raises(SourceDataError) as refusal:
            extract(market_engine, make_run, run_id, "GBP", factor=0.01)
        assert str(refusal.value) == (
            f"{SYMBOL}: its stored prices are in GBp, the source now states 'GBP'; the two would "
            "mix, so nothing is stored. Correct the source, or delete the rows of this symbol and "
            "source 'csv:file' from roi.daily_prices (`make sql OWNER=1`) and run again"
        )
    assert stored(market_engine, source="csv:file").equals(before)
    assert stored_asset(market_engine)[0] == "GBp"
    with market_engine.connect() as connection:
        record = connection.execute(select(extractions).filter_by(run_id="two")).mappings().one()
    assert record["status"] == "failed"
    assert "GBp" in record["error"]
    assert record["currency"] is None
    extract(market_engine, make_run, "three", "GBp")


def test_after_the_stored_prices_are_deleted_another_currency_is_taken(
    market_engine: Engine, make_run: RunFactory
) -> None:
    extract(market_engine, make_run, "one", "GBp")
    with market_engine.begin() as connection:
        connection.execute(delete(daily_prices))
    extract(market_engine, make_run, "two", "GBP", factor=0.01)
    assert stored_asset(market_engine)[0] == "GBP"
    with pytest.raises(SourceDataError, match="in GBP"):
        extract(market_engine, make_run, "three", "GBp")
