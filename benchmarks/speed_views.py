"""Section `views` of `speed.py`: how long the SQL views take over years of forecasts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from speed_database import planted_database
from sqlalchemy import Connection, text

from roi_forecast.database.engine import create_database_engine
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings

QUERIES = {
    "latest forecasts, all assets": "SELECT * FROM roi.latest_forecasts WHERE horizon = 1",
    "latest forecasts, 100 highest": (
        "SELECT * FROM roi.latest_forecasts ORDER BY predicted_roi_pct DESC LIMIT 100"
    ),
    "latest forecast of an asset": "SELECT * FROM roi.latest_forecasts WHERE symbol = :symbol",
    "forecasts of an asset": "SELECT * FROM roi.forecasts WHERE symbol = :symbol",
    "forecasts of a day, all assets": ("SELECT * FROM roi.forecasts WHERE as_of_date = :day"),
    "outcomes of an asset": "SELECT * FROM roi.outcomes WHERE symbol = :symbol",
    "outcomes of a day, all assets": (
        "SELECT * FROM roi.outcomes WHERE target_date = :day AND horizon = 1"
    ),
    "newest 100 outcomes": (
        "SELECT * FROM roi.outcomes ORDER BY target_date DESC, symbol LIMIT 100"
    ),
    "mean error of a day": (
        "SELECT avg(abs(realised_roi_pct - predicted_roi_pct)) FROM roi.outcomes "
        "WHERE target_date = :day AND NOT filled_target"
    ),
    "a month's error by asset, from outcomes": (
        "SELECT symbol, avg(abs(error_pct)) FROM roi.outcomes WHERE model_name = 'reference' "
        "AND target_date >= date_trunc('month', CAST(:day AS date)) "
        "AND target_date < date_trunc('month', CAST(:day AS date)) + interval '1 month' "
        "AND horizon = 1 AND NOT filled_target GROUP BY symbol"
    ),
    "a month's error by asset, from sums": (
        "SELECT symbol, sum_of_errors_pct / forecasts FROM roi.track_record_months "
        "WHERE model_name = 'reference' AND month = date_trunc('month', CAST(:day AS date))"
    ),
    "coverage of every day": (
        "SELECT target_date, inside_80::float8 / forecasts FROM roi.track_record_days "
        "WHERE model_name = 'reference'"
    ),
    "prices of an asset": ("SELECT * FROM roi.prices WHERE source = 'yahoo' AND symbol = :symbol"),
    "versions": "SELECT * FROM roi.versions",
    "champion history": "SELECT * FROM roi.champion_history",
    "a version": "SELECT * FROM roi.versions WHERE version_id = 'reference-version-04'",
    "runs": "SELECT * FROM roi.run_history ORDER BY started_at DESC LIMIT 100",
    "health of an asset": "SELECT * FROM roi.asset_health WHERE symbol = :symbol",
    "health of all assets": "SELECT * FROM roi.asset_health",
    "failed checks": "SELECT * FROM roi.failed_price_checks ORDER BY checked_at DESC LIMIT 100",
    "newest champion checks": "SELECT * FROM roi.champion_checks WHERE newest",
    "drift": "SELECT * FROM roi.latest_drift",
    "live skill": "SELECT * FROM roi.live_skill",
}
TRANSFERRED = ("outcomes of a day, all assets", "health of all assets")


def views(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of each query's 95th percentile over planted forecasts."""
    times: dict[int, dict[str, tuple[int, float]]] = {}
    for assets in arguments.assets:
        with planted_database(assets, arguments.sessions) as (url, values):
            reader = create_reader_engine(Settings(url, Path("unused")))
            with reader.connect() as connection:
                times[assets] = {
                    name: _measure(connection, query, values, arguments.times)
                    for name, query in QUERIES.items()
                }
            engine = create_database_engine(url)
            with engine.connect() as connection:
                times[assets] |= _transfers(connection, values, arguments.times)
            engine.dispose()
            reader.dispose()
    yield (
        f"{arguments.sessions} sessions of daily forecasts and prices of each universe, planted by "
        "`planted_market.py`, read as `roi_reader`. 95th percentile of "
        f"{arguments.times} answers in milliseconds, until the last row is in Python, and the "
        "rows. The last lines say what of it is sending: the same rows out of a plain table."
    )
    yield ""
    yield "| query | " + " | ".join(f"{size} assets: ms | rows" for size in times) + " |"
    yield "|---|" + "---|---|" * len(times)
    for name in times[arguments.assets[0]]:
        cells = [f"{each[name][1]:.1f} | {each[name][0]:,}" for each in times.values()]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _transfers(
    connection: Connection, values: dict[str, object], times: int
) -> dict[str, tuple[int, float]]:
    """Return the figures of queries of all assets whose rows were put into a table before."""
    measured = {}
    for number, name in enumerate(TRANSFERRED):
        table = f"transferred_{number}"
        query = f"CREATE TEMPORARY TABLE {table} AS {QUERIES[name]}"
        statement = text(query)
        connection.execute(statement, {key: values[key] for key in statement.compile().params})
        measured[f"sending alone: {name}"] = _measure(
            connection, f"SELECT * FROM {table}", values, times
        )
    return measured


def _measure(
    connection: Connection, query: str, values: dict[str, object], times: int
) -> tuple[int, float]:
    """Return the number of rows and the 95th percentile in milliseconds."""
    statement = text(query)
    given = {name: values[name] for name in statement.compile().params}
    taken, rows = [], 0
    for _ in range(times):
        began = time.perf_counter()
        rows = len(connection.execute(statement, given).all())
        taken.append(1000 * (time.perf_counter() - began))
    return rows, float(np.quantile(taken, 0.95))
