"""Section `upserts` of `speed.py`: how many bars are stored a second."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from speed_database import market_database
from sqlalchemy import Engine, text

from roi_forecast.database.engine import create_database_engine
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.binary_copy import HEADER, TRAILER, binary_rows, series_of
from roi_forecast.market.store import register_assets, upsert_bars
from roi_forecast.universe import load_universe

SESSIONS = 2500
SOURCE = "simulated"


def upserts(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of rows stored a second, beside what COPY alone takes."""
    symbols = [f"SIM{number:05}.NS" for number in range(arguments.upsert_assets)]
    bars = _bars(symbols)
    yield (
        f"{len(bars):,} daily bars of {len(symbols)} assets by `upsert_bars`: in one call, and in "
        "a call and transaction for each asset, as extraction stores them. The last row is a "
        "binary COPY of the same bytes, built before, into a table without index or constraint: "
        "what this PostgreSQL can take in at most."
    )
    yield ""
    yield "| bars | rows written | one call: seconds | rows a second | call an asset: seconds | rows a second |"  # noqa: E501
    yield "|---|---|---|---|---|---|"
    with market_database() as (server, _):
        engine = create_database_engine(server.url("market"))
        with engine.begin() as connection:
            register_assets(connection, load_universe().select(symbols))
        together = list(_measure(engine, [bars]))
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE roi.daily_prices"))
        by_asset = [own for _, own in bars.groupby("symbol")]
        for (name, written, one), (_, _, each) in zip(
            together, _measure(engine, by_asset), strict=True
        ):
            yield (
                f"| {name} | {written:,} | {one:.2f} | {len(bars) / one:,.0f} | {each:.2f} | "
                f"{len(bars) / each:,.0f} |"
            )
        seconds = _seconds_of_copy(engine, bars)
        yield f"| COPY alone | {len(bars):,} | {seconds:.2f} | {len(bars) / seconds:,.0f} | | |"
        engine.dispose()


def _bars(symbols: list[str]) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    bars = pd.DataFrame(
        {
            "symbol": np.repeat(symbols, SESSIONS),
            "trading_date": np.tile(pd.bdate_range("2015-01-01", periods=SESSIONS), len(symbols)),
        }
    )
    for name in ("open", "close", "adj_close"):
        bars[name] = 100 + generator.random(len(bars))
    bars["high"] = bars[["open", "close"]].max(axis=1) + 1
    bars["low"] = bars[["open", "close"]].min(axis=1) - 1
    bars["volume"] = generator.integers(0, 10**7, len(bars))
    return bars[["symbol", *BAR_COLUMNS]]


def _measure(engine: Engine, calls: Sequence[pd.DataFrame]) -> Iterator[tuple[str, int, float]]:
    """Give what is stored, rows written and seconds, of three rounds of the calls."""
    for name, more in (("new", 0), ("stored already", 0), ("all restated", 1)):
        parts = [part.assign(adj_close=part["adj_close"] + more) for part in calls]
        written = 0
        began = time.perf_counter()
        for part in parts:
            with engine.begin() as connection:
                written += upsert_bars(connection, SOURCE, part)
        yield name, written, time.perf_counter() - began


def _seconds_of_copy(engine: Engine, bars: pd.DataFrame) -> float:
    chunks = [HEADER]
    for symbol, own in series_of(bars, BAR_COLUMNS[1:]):
        chunks += binary_rows((symbol,), own, ["volume"])
    chunks.append(TRAILER)
    names = ", ".join(["symbol", *BAR_COLUMNS])
    with engine.begin() as connection:
        connection.execute(
            text(f"CREATE TABLE bare AS SELECT {names} FROM roi.daily_prices WITH NO DATA")
        )
    began = time.perf_counter()
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor() as cursor, cursor.copy("COPY bare FROM STDIN (FORMAT binary)") as copy:
            for chunk in chunks:
                copy.write(chunk)
    return time.perf_counter() - began
