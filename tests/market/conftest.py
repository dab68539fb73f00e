"""Prices, runs and a server for the tests of the market package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from roi_forecast.config import parse_run_config
from roi_forecast.market.due_sessions import due_at
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.yahoo import YahooSource
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import load_universe

from .yahoo_server import YahooServer

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F")
START = date(2023, 1, 2)
END = date(2024, 12, 30)

RunFactory = Callable[..., ResolvedRun]


@pytest.fixture(scope="session")
def prices() -> pd.DataFrame:
    """Two years of simulated bars in long form."""
    market = SimulatedSource()
    frames = [
        market.fetch(asset, START, END).bars.assign(symbol=asset.symbol)
        for asset in load_universe().select(SYMBOLS)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def server(prices: pd.DataFrame) -> Iterator[YahooServer]:
    with YahooServer(prices) as running:
        yield running


@pytest.fixture
def yahoo(server: YahooServer, tmp_path: Path) -> YahooSource:
    return YahooSource(tmp_path, server.url, timeout=5.0)


@pytest.fixture
def make_run() -> RunFactory:
    """Build resolved runs over the test's symbols; keywords change run parameters."""

    def make(run_id: str = "run-1", **parameters: Any) -> ResolvedRun:
        values = {
            "source": "yahoo",
            "symbols": SYMBOLS,
            "start_date": START,
            "as_of_date": END,
            "context_symbols": (),
        } | parameters
        config = parse_run_config(values)
        assert config.start_date is not None
        assert config.as_of_date is not None
        return ResolvedRun(
            run_id=run_id,
            config=config,
            model_name=config.resolved_model_name,
            source_key=config.source_key,
            start_date=config.start_date,
            as_of_date=config.as_of_date,
            published_at=due_at(
                config.as_of_date, load_universe().select(config.symbols), config.context
            ),
            resolved_at=datetime.combine(config.as_of_date, time(23, 59), UTC),
        )

    return make
