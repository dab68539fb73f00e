"""What each session costs and leaves: times, sizes and memory; the bounds they must stay within."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

from soak.pages import TOKEN

PAGES = ("", "track-record", "versions", "runs", "health", "api/v1/outcomes?limit=100")
_TRIES = 3


@dataclass(frozen=True)
class Measured:
    """What was there after a session; sizes in bytes.

    Attributes:
        session: Its number.
        seconds: Processor time of the run; None if none ended well.
        page_seconds: The slowest of `PAGES`, each the fastest of three requests.
        market: Size of the market database.
        airflow: Size of Airflow's database.
        runs: DAG runs that Airflow knows.
        xcoms: Results of tasks that Airflow keeps.
        files: Datasets and models.
        logs: Logs of runs.
        pages_memory: Memory of the process that answers pages.
        postgres_memory: Private memory of PostgreSQL's processes.
        largest: The largest tables of the market database.
    """

    session: int
    seconds: float | None
    page_seconds: float
    market: int
    airflow: int
    runs: int
    xcoms: int
    files: int
    logs: int
    pages_memory: int
    postgres_memory: int
    largest: dict[str, int]


def size_below(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
    return total


def slowest_page(address: str) -> float:
    """Return the seconds of the slowest page."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    slowest = 0.0
    for page in PAGES:
        fastest = float("inf")
        for _ in range(_TRIES):
            began = time.perf_counter()
            request = urllib.request.Request(address + page, headers={"Authorization": TOKEN})
            with opener.open(request, timeout=60) as answer:
                assert answer.status == 200
                answer.read()
            fastest = min(fastest, time.perf_counter() - began)
        slowest = max(slowest, fastest)
    return slowest


def database_size(engine: Engine) -> int:
    """Return the bytes of a database."""
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def table_sizes(engine: Engine, schema: str) -> dict[str, int]:
    """Return the bytes of the tables of a schema with their indexes, the largest first."""
    query = (
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = CAST(:schema AS regnamespace) ORDER BY 2 DESC LIMIT 8"
    )
    with engine.connect() as connection:
        return {
            name: int(size) for name, size in connection.execute(text(query), {"schema": schema})
        }


def private_memory(processes: Sequence[psutil.Process]) -> int:
    """Return the memory that only these processes use."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            # The unique set also has pages of shared buffers that one process alone has read.
            memory = process.memory_info()
            total += memory.rss - memory.shared
    return total


def median_of(measured: Sequence[Measured], value: Callable[[Measured], float | None]) -> float:
    """Return the median of a figure where it is known."""
    known = [found for each in measured if (found := value(each)) is not None]
    return statistics.median(known) if known else float("nan")


@dataclass(frozen=True)
class Bound:
    """A limit of a figure of the whole soak."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the figure is known and not above its limit."""
        return self.value <= self.limit


def bounds(measured: Sequence[Measured]) -> list[Bound]:
    """Compare the last 20 sessions with sessions 10 to 30, and what grows with the sessions.

    Args:
        measured: All sessions, at least 40.
    """
    early, late = measured[9:30], measured[-20:]
    sessions = late[-1].session - early[-1].session

    def ratio(name: str, value: Callable[[Measured], float | None], limit: float) -> Bound:
        return Bound(name, median_of(late, value) / median_of(early, value), limit, "times")

    def growth(name: str, value: Callable[[Measured], float], limit: float) -> Bound:
        bytes_more = value(late[-1]) - value(early[-1])
        return Bound(name, bytes_more / sessions / 1e3, limit, "kB a session")

    # Retention has reached its limit after 30 sessions.
    return [
        ratio("processor time of a run", lambda each: each.seconds, 1.5),
        ratio("slowest page", lambda each: each.page_seconds, 2.0),
        ratio("memory of the pages' process", lambda each: each.pages_memory, 1.3),
        ratio("memory of PostgreSQL", lambda each: each.postgres_memory, 1.5),
        ratio("datasets and models on disk", lambda each: each.files, 1.5),
        growth("market database", lambda each: each.market, 1000),
        growth("Airflow's database", lambda each: each.airflow, 400),
        growth("logs", lambda each: each.logs, 300),
    ]
