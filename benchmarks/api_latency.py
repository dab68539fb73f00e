"""How long the REST API and the pages take with 500 assets and three years of daily forecasts.

    python benchmarks/api_latency.py --output benchmarks/api_latency.md

Plants 500 x 750 prices and forecasts in a PostgreSQL of its own, serves the application by uvicorn
in another process, and asks it over HTTP, one request after the other and four at a time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from free_port import free_port
from output_file import output_file
from planted_market import plant_market
from speed_database import market_database

from roi_forecast.database.engine import create_database_engine
from roi_forecast.files.artifacts import write_file
from roi_forecast.settings import Settings

REQUESTS = {
    "latest forecasts, all assets": "/api/v1/forecasts/latest?model_name=reference&limit=1000",
    "latest forecasts, first 100": "/api/v1/forecasts/latest",
    "latest forecast of one asset": "/api/v1/forecasts/latest?symbol=ASSET123.NS",
    "forecasts of one asset": "/api/v1/forecasts?symbol=ASSET123.NS",
    "forecasts of one day": "/api/v1/forecasts?as_of_date=2025-06-02&limit=1000",
    "newest outcomes": "/api/v1/outcomes",
    "outcomes of one asset": "/api/v1/outcomes?symbol=ASSET123.NS",
    "versions": "/api/v1/versions",
    "gate decisions": "/api/v1/gate-decisions",
    "health": "/api/v1/health",
    "page: forecasts": "/",
    "page: one asset": "/assets/ASSET123.NS",
    "page: track record, 3 months": "/track-record",
    "page: track record, everything": "/track-record?period=all",
    "page: versions": "/versions",
    "page: data health": "/health",
}


def serve(url: str, port: int) -> None:
    """Serve the application without a login, in a process of its own."""
    import uvicorn
    from fastapi import FastAPI

    from roi_forecast.reading.engine import create_reader_engine
    from roi_web.application import create_application

    app = FastAPI()
    pages = create_application(
        create_reader_engine(Settings(url, Path("unused"))),
        lambda: None,
        dag_id="daily_roi_forecast",
    )
    app.mount("/roi", pages)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def measure(client: httpx.Client, path: str, times: int, at_once: int) -> list[float]:
    """Return the milliseconds of each request."""

    def ask(_: int) -> float:
        began = time.perf_counter()
        response = client.get(f"/roi{path}")
        elapsed = time.perf_counter() - began
        response.raise_for_status()
        return 1000 * elapsed

    for number in range(3):
        ask(number)
    with ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(ask, range(times)))


def describe(times: list[float]) -> tuple[float, float]:
    """Return median and 95th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def wait_until_up(client: httpx.Client) -> None:
    """Return once the application answers."""
    for _ in range(300):
        try:
            client.get("/roi/static/roi.css")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the application did not start within 30 s")


@contextmanager
def served(url: str) -> Iterator[str]:
    """Serve the application of a market database in a process of its own; give its address."""
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port))
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.join()


def main() -> None:
    """Plant, serve, measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=750)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--only", default="", help="only requests whose name holds this")
    parser.add_argument("--output", type=output_file)
    arguments = parser.parse_args()
    with market_database() as (postgres, _):
        url = postgres.url("market")
        engine = create_database_engine(url)
        plant_market(engine, assets=arguments.assets, sessions=arguments.sessions, versions=5)
        engine.dispose()
        with served(url) as address:
            lines = report(address, arguments)
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        write_file(arguments.output, text.encode())


def report(address: str, arguments: argparse.Namespace) -> list[str]:
    """Return the lines of the Markdown report."""
    conditions = (
        f"{arguments.assets} assets, {arguments.sessions} sessions "
        f"({arguments.assets * arguments.sessions:,} forecasts and as many prices), one uvicorn "
        f"worker and PostgreSQL on the same {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}. Milliseconds over "
        f"HTTP, {arguments.times} requests each, without Airflow's login. Load average of the "
        f"machine before the first request: {os.getloadavg()[0]:.1f}."
    )
    lines = [
        "# Latency of pages and REST API",
        "",
        conditions,
        "",
        "    python benchmarks/api_latency.py --output benchmarks/api_latency.md",
        "",
        "| request | median | 95 % within | median, 4 at a time | 95 % within, 4 at a time |",
        "|---|---|---|---|---|",
    ]
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        wait_until_up(client)
        for name, path in REQUESTS.items():
            if arguments.only not in name:
                continue
            times = arguments.times if "page" not in name else max(10, arguments.times // 5)
            alone = describe(measure(client, path, times, 1))
            together = describe(measure(client, path, times, 4))
            cells = " | ".join(f"{value:.0f}" for value in (*alone, *together))
            lines.append(f"| {name} | {cells} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


if __name__ == "__main__":
    main()
