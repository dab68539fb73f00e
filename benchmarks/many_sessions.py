"""`make soak`: many sessions in a row through the real DAG, with faults and kills on the way."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path

import pandas as pd
from reference_data import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests"))
from roi_local.environment import Home, airflow_environment
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.server import start_postgres
from soak.installation import Installation, disk_of_its_own
from soak.measures import bounds, median_of
from soak.plan import FIRST_SESSION, planned, planted_market
from soak.sessions import EagerServer, Soak, answered_pages
from warm_python import start_warm_python

_CLEAN_EVERY = 50
COLUMNS = (
    *("processor time of a run, s", "slowest page, ms", "market database, MB", "Airflow's, MB"),
    *("runs", "XComs", "files, MB", "logs, MB", "pages' memory, MB", "PostgreSQL's, MB"),
)
FEWEST = 50
"""Sessions from which on the last ones can be compared with early ones."""


def soak(sessions: int, seed: int, out: Path) -> Soak:
    """Go through the sessions; the report is written after each of them."""
    plan = planned(sessions, seed)
    market = planted_market(plan)
    with ExitStack() as stack:
        # What a soak that failed has left can be looked at.
        folder = Path(tempfile.mkdtemp(prefix="roi-soak-"))
        home = Home(folder / "roi", REPOSITORY / "dags")
        home.directory.mkdir(mode=0o700)
        is_own = stack.enter_context(disk_of_its_own(home.data_directory, 1400))
        server = stack.enter_context(EagerServer(pd.DataFrame({"symbol": []})))
        installation = Installation(
            home, folder / "python", start_postgres(home.postgres_directory), server.url
        )
        stack.callback(lambda: installation.postgres.stop())
        environment = airflow_environment(home, installation.postgres)
        prepare_market(installation.postgres)
        prepare_airflow(home, installation.postgres, environment)
        stack.enter_context(start_warm_python(folder, environment))
        pages = stack.enter_context(answered_pages(installation, out / "pages.log"))
        done = Soak(installation, market, server, has_own_disk=is_own, pages=pages)
        for session in plan:
            done.go_through(session)
            if session.number % _CLEAN_EVERY == 0:
                now = datetime.combine(session.day, time(23, 30), UTC)
                (out / "airflow_clean.log").write_text(done.clean_airflow(now))
            write(done, sessions, seed, out)
    shutil.rmtree(folder)
    return done


def write(done: Soak, sessions: int, seed: int, out: Path) -> None:
    """Write the figures so far."""
    values = [asdict(each) for each in done.measured]
    summary = {"events": done.events, "kills": done.kills, "failed": done.failed}
    (out / "soak.json").write_text(json.dumps({**summary, "sessions": values}, indent=1))
    if done.measured:
        (out / "soak.md").write_text("\n".join(report(done, sessions, seed)) + "\n")


def report(done: Soak, sessions: int, seed: int) -> Iterator[str]:
    """Yield the lines of soak.md."""
    last = done.measured[-1]
    yield "# Soak"
    yield ""
    yield (
        f"`make soak SESSIONS={sessions} SEED={seed}`, {datetime.now(UTC):%Y-%m-%d}: "
        f"{last.session} sessions in a row from {FIRST_SESSION} under one model name, each by what "
        "`make run` does, through the real DAG. Tests move the clock of every Python process; "
        "PostgreSQL's is that of the machine. The vendor is a local server with Yahoo's protocol. "
        f"{done.kills} kills struck a living process, {done.failed} runs failed as they should, "
        f"{done.restatements} restatements were found. After every session all of "
        "`tests/soak/invariants.py` held."
    )
    yield ""
    if len(done.measured) >= FEWEST:
        yield "| figure | last 20 sessions against sessions 10 to 30 | limit |"
        yield "|---|---|---|"
        for bound in bounds(done.measured):
            above = "" if bound.holds else " (above)"
            yield f"| {bound.name} | {bound.value:.2f} {bound.unit}{above} | {bound.limit:g} |"
        yield ""
    yield f"| after session | {' | '.join(COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    step = max(1, len(done.measured) // 10)
    shown = done.measured[step - 1 :: step]
    for each in shown:
        near = [other for other in done.measured if abs(other.session - each.session) <= 5]
        sizes = (each.market, each.airflow, each.files, each.logs)
        market, airflow, files, logs = (f"{size / 1e6:.1f}" for size in sizes)
        pages, postgres = (
            f"{size / 1e6:.0f}" for size in (each.pages_memory, each.postgres_memory)
        )
        yield (
            f"| {each.session} | {median_of(near, lambda one: one.seconds):.1f} "
            f"| {1e3 * median_of(near, lambda one: one.page_seconds):.0f} | {market} | {airflow} "
            f"| {each.runs} | {each.xcoms} | {files} | {logs} | {pages} | {postgres} |"
        )
    yield ""
    largest = ", ".join(f"`{name}` {size / 1e6:.1f} MB" for name, size in last.largest.items())
    yield f"Largest tables at the end: {largest}."
    yield ""
    happened = ", ".join(f"{name} {count}" for name, count in sorted(done.events.items()))
    yield f"What happened, in sessions: {happened}."


def main() -> int:
    """Go through the sessions and compare with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=int(os.environ.get("ROI_SESSIONS") or 250))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("ROI_SEED") or 0))
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("ROI_OUT") or "soak"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("soak").setLevel(logging.INFO)
    done = soak(arguments.sessions, arguments.seed, arguments.out)
    if len(done.measured) < FEWEST:
        return 0
    found = bounds(done.measured)
    for bound in found:
        state = "within" if bound.holds else "ABOVE"
        print(f"{bound.name}: {bound.value:.2f} {bound.unit}, {state} {bound.limit:g}")
    return 0 if all(bound.holds for bound in found) else 1


if __name__ == "__main__":
    sys.exit(main())
