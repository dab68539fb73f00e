"""Runs over assets of several exchanges, an index, a currency pair and a cryptocurrency."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from daily_run import carry_out, prepare
from databases import fresh_market
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import daily_prices, predictions
from roi_forecast.errors import PriceCheckError
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres

MIXED = (
    *("AAPL", "MSFT", "SHEL.L", "SAP.DE", "7203.T", "TEVA.TA", "2222.SR"),
    *("^GSPC", "EURUSD=X", "BTC-USD"),
)
# Friday's bars of BTC-USD, the last, are final at 00:19 on Saturday.
DUE = datetime(2024, 12, 28, 0, 19, tzinfo=UTC)
PARAMETERS: dict[str, Any] = {"symbols": MIXED, "context_symbols": ("^N225", "ETH-USD", "GC=F")}


@pytest.fixture
def market(
    postgres: EmbeddedPostgres, market_template: str, tmp_path: Path
) -> Iterator[tuple[Engine, Settings]]:
    with fresh_market(postgres, market_template) as url:
        engine = create_database_engine(url)
        yield engine, Settings(url, tmp_path)
        engine.dispose()


def test_a_mixed_universe_runs_end_to_end_and_explains_its_rows(
    market: tuple[Engine, Settings], caplog: pytest.LogCaptureFixture
) -> None:
    engine, settings = market
    with caplog.at_level(logging.INFO):
        outcome = carry_out(engine, settings, "mixed", PARAMETERS, DUE + timedelta(minutes=30))
    assert outcome.run.published_at == DUE
    assert outcome.dataset.symbols == MIXED
    assert (
        caplog.messages.count("rows are sessions of XNYS, the calendar of most assets (3 of 10)")
        == 1
    )
    (fits,) = [m for m in caplog.messages if m.startswith("other calendars: ")]
    for calendar in ("24/5 (EURUSD=X)", "24/7 (BTC-USD)", "XETR (SAP.DE)", "XTAE (TEVA.TA)"):
        assert f"{calendar} lacks " in fits
    # The move of a row is from the last price up to the row before to the last one up to it.
    with engine.connect() as connection:
        closes = {
            row.trading_date: row.adj_close
            for row in connection.execute(
                select(daily_prices).where(daily_prices.c.symbol == "BTC-USD")
            )
        }
    column = MIXED.index("BTC-USD")
    friday, monday = np.datetime64("2024-12-20"), np.datetime64("2024-12-23")
    (row,) = np.flatnonzero(outcome.dataset.dates == monday)
    expected = np.log(closes[monday.item()] / closes[friday.item()])
    assert outcome.dataset.log_roi[row, column] == pytest.approx(expected)
    with engine.connect() as connection:
        stored = connection.execute(select(predictions).where(predictions.c.horizon == 1)).all()
    assert {forecast.symbol for forecast in stored} == set(MIXED)
    assert {str(forecast.target_date) for forecast in stored} == {"2024-12-30"}
    assert not any(forecast.backfill for forecast in stored)


def test_only_forecasts_made_after_their_market_went_on_are_backfills(
    market: tuple[Engine, Settings],
) -> None:
    engine, settings = market
    # Riyadh opens on Sunday at 10:00, and two hours after its bar BTC-USD has traded on.
    carry_out(engine, settings, "late", PARAMETERS, DUE + timedelta(hours=2))
    with engine.connect() as connection:
        stored = connection.execute(select(predictions).where(predictions.c.horizon == 1)).all()
    assert {forecast.symbol for forecast in stored if forecast.backfill} == {"BTC-USD"}


def test_stocks_among_cryptocurrencies_are_left_out_with_what_to_do(
    market: tuple[Engine, Settings],
) -> None:
    symbols = ("BTC-USD", "ETH-USD", "SOL-USD", "AAPL", "EURUSD=X")
    with pytest.raises(PriceCheckError, match=r"4 of 5 assets have usable prices") as refusal:
        prepare(*market, "weekends", {"symbols": symbols, "quorum": 0.9})
    assert "AAPL: it has bars on 69 % of the run's" in str(refusal.value)
    assert "Rows are sessions of 24/7, the calendar of most assets" in str(refusal.value)
    run, dataset = prepare(*market, "cryptocurrencies", {"symbols": symbols, "model_name": "other"})
    assert dataset.symbols == (*symbols[:3], "EURUSD=X")
    assert (np.diff(dataset.dates) == np.timedelta64(1, "D")).all()
    assert str(run.as_of_date) == "2024-12-27"
