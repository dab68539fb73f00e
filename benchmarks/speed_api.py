"""Section `api` of `speed.py`: how long the REST API and the pages take over years of forecasts."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator

import httpx
import numpy as np
from api_latency import served, wait_until_up
from speed_database import planted_database

SLOW_S = 0.5
TIMES_WHERE_SLOW = 5
REQUESTS = {
    "model names": "/api/v1/model-names",
    "latest forecasts": "/api/v1/forecasts/latest",
    "latest forecasts, largest page of 1,000": "/api/v1/forecasts/latest?limit=1000",
    "latest forecast of an asset": "/api/v1/forecasts/latest?symbol={symbol}",
    "context of an asset": "/api/v1/forecasts/latest/context?symbol={symbol}",
    "mean context": "/api/v1/forecasts/latest/context/mean?model_name=reference",
    "forecasts, newest": "/api/v1/forecasts",
    "forecasts of an asset": "/api/v1/forecasts?symbol={symbol}",
    "forecasts of a day": "/api/v1/forecasts?as_of_date={day}",
    "outcomes, newest": "/api/v1/outcomes",
    "outcomes of an asset": "/api/v1/outcomes?symbol={symbol}",
    "outcomes of a day": "/api/v1/outcomes?since={day}&until={day}",
    "prices of an asset": "/api/v1/prices?model_name=reference&symbol={symbol}",
    "chart of prices": "/api/v1/charts/prices?model_name=reference&symbol={symbol}",
    "chart of outcomes": "/api/v1/charts/outcomes?model_name=reference&symbol={symbol}",
    "track record by day": "/api/v1/track-record/days?model_name=reference",
    "track record by asset": "/api/v1/track-record/assets?model_name=reference",
    "versions": "/api/v1/versions",
    "a version": "/api/v1/versions/reference-version-04",
    "scores of a version": "/api/v1/scores?version_id=reference-version-04",
    "what differs between versions": "/api/v1/version-differences"
    "?a=reference-version-04&b=reference-version-03",
    "gate decisions": "/api/v1/gate-decisions",
    "promotions": "/api/v1/promotions",
    "health": "/api/v1/health",
    "health of assets": "/api/v1/health/assets",
    "failed checks": "/api/v1/health/failed-checks",
    "runs": "/api/v1/runs",
    "a run": "/api/v1/runs/{run_id}",
    "stages": "/api/v1/stages",
    "extractions": "/api/v1/extractions",
    "backtests": "/api/v1/backtests",
    "studies": "/api/v1/tuning-studies",
    "trials": "/api/v1/tuning-trials",
    "comparisons": "/api/v1/comparisons",
    "champion checks": "/api/v1/champion-checks",
    "drift": "/api/v1/drift",
    "live skill": "/api/v1/live-skill?model_name=reference",
    "CSV of the latest forecasts": "/api/v1/forecasts/latest?format=csv",
    "CSV of outcomes of an asset": "/api/v1/outcomes?symbol={symbol}&format=csv",
    "CSV of a day's outcomes": "/api/v1/outcomes?since={day}&until={day}&format=csv",
    "CSV of the track record by asset": "/api/v1/track-record/assets?model_name=reference"
    "&period=all&format=csv",
    "CSV of all extractions of a run": "/api/v1/extractions?run_id={run_id}&format=csv",
    "page: forecasts": "/",
    "page: forecasts, found by name": "/?search=company&order=width&page=2",
    "page: an asset": "/assets/{symbol}",
    "page: track record, 3 months": "/track-record",
    "page: track record, 12 months": "/track-record?period=12",
    "page: track record, everything": "/track-record?period=all",
    "page: versions": "/versions",
    "page: a version": "/versions/reference-version-04",
    "page: two versions": "/compare?a=reference-version-04&b=reference-version-03",
    "page: backtests": "/backtests",
    "page: tuning": "/tuning",
    "page: runs": "/runs",
    "page: a run": "/runs/{run_id}",
    "page: REST API": "/docs",
    "page: data health": "/health",
}


def api(arguments: argparse.Namespace) -> Iterator[str]:
    """Give the table of each request's 95th percentile over planted forecasts."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    taken: dict[int, dict[str, float]] = {}
    for assets in arguments.assets:
        with (
            planted_database(assets, arguments.sessions) as (url, values),
            served(url) as address,
            httpx.Client(base_url=address, timeout=120, trust_env=False) as client,
        ):
            wait_until_up(client)
            taken[assets] = {
                name: _measure(client, path.format(**values), arguments.times)
                for name, path in REQUESTS.items()
            }
    yield (
        f"{arguments.sessions} sessions of daily forecasts, prices and checks of each universe, as "
        "for the views; requests over HTTP to one uvicorn worker on the same cores, one after the "
        f"other, without Airflow's login. 95th percentile of {arguments.times} answers in "
        f"milliseconds, of {TIMES_WHERE_SLOW} where the first takes more than {SLOW_S} s. A list "
        "of the API gives its page of 100 rows, unless said."
    )
    yield ""
    yield "| request | " + " | ".join(f"{size} assets" for size in taken) + " |"
    yield "|---|" + "---|" * len(taken)
    for name in REQUESTS:
        yield f"| {name} | " + " | ".join(f"{each[name]:.1f}" for each in taken.values()) + " |"


def _measure(client: httpx.Client, path: str, times: int) -> float:
    """Return the 95th percentile in milliseconds."""

    def ask() -> float:
        began = time.perf_counter()
        client.get(f"/roi{path}").raise_for_status()
        return time.perf_counter() - began

    warming = ask()
    taken = [ask() for _ in range(TIMES_WHERE_SLOW if warming > SLOW_S else times)]
    return 1000 * float(np.quantile(taken, 0.95))
