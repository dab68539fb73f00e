"""Carrying a plan out: each session through the real DAG, with what happens to it."""

from __future__ import annotations

import logging
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from sqlalchemy import Engine, create_engine, text

from installation import free_port
from market.yahoo_server import YahooServer
from roi_forecast.database.engine import create_database_engine
from roi_forecast.market.due_sessions import due_at
from roi_forecast.settings import Settings
from roi_forecast.universe import Context, load_universe
from roi_local.environment import AIRFLOW_DATABASE, MARKET_DATABASE, airflow_environment
from roi_local.postgres.server import AIRFLOW_DRIVER
from soak.installation import Installation, Ran
from soak.invariants import Memory, check_everything, corrected, leftovers, restated
from soak.market import CONTEXT, SYMBOLS, PlantedMarket
from soak.measures import (
    Measured,
    database_size,
    private_memory,
    size_below,
    slowest_page,
    table_sizes,
)
from soak.plan import FAULTY_BARS, KILLS, OUTAGES, Session
from tiny_network import TINY_NETWORK

logger = logging.getLogger(__name__)

MODEL_NAME = "soak"
CHEAP: dict[str, Any] = {
    "model_name": MODEL_NAME,
    # An asset may be delisted, another too newly listed, and the vendor wrong about a third.
    "quorum": 0.6,
    "context_symbols": list(CONTEXT),
    **TINY_NETWORK,
    "tensorboard": False,
}
_HISTORY = timedelta(days=560)
_LITTLE_SPACE = 30_000
_AIRFLOW_KEEPS = timedelta(days=60)


class EagerServer(YahooServer):
    """A vendor that gives bars of days to come, whatever range it is asked for."""

    def _chart(self, symbol: str, query: dict[str, str]) -> Any:
        if "period2" in query:
            query = {**query, "period2": str(int(query["period2"]) + 10 * 86_400)}
        return super()._chart(symbol, query)


@dataclass
class Soak:
    """An installation and its market on the way through the sessions.

    Attributes:
        installation: Where the runs happen.
        market: What is true.
        server: What the vendor answers.
        has_own_disk: Whether the data folder is a file system that can be filled.
        pages: Address of the pages and the process that answers, if it is measured.
        events: How often each event happened.
        kills: Kills that struck a living process.
    """

    installation: Installation
    market: PlantedMarket
    server: YahooServer
    has_own_disk: bool = False
    pages: tuple[str, psutil.Process] | None = None
    memory: Memory = field(default_factory=Memory)
    measured: list[Measured] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    events: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    failed: int = 0
    restatements: int = 0
    _was_missed: bool = False

    @property
    def settings(self) -> Settings:
        """The installation's settings."""
        url = self.installation.postgres.url(MARKET_DATABASE)
        return Settings(url, self.installation.home.data_directory)

    def go_through(self, session: Session) -> None:
        """Let a session happen, and check every invariant after it."""
        self.events[session.happens] = self.events.get(session.happens, 0) + 1
        began = time.monotonic()
        if session.happens == "missed":
            self._was_missed = True
            return
        symbols = self.market.asked_on(session.day)
        now = self._due(session, symbols)
        self._show(session)
        ran = self._carry_out(session, symbols, now)
        self._heal()
        self._move_files_to(now)
        self._remember(session)
        self._check(session, now, scored=ran is not None and ran.status == 0)
        self._was_missed = ran is None or ran.status != 0
        if session.prune:
            self._prune(now + timedelta(minutes=30))
        if self.pages:
            self._measure(session, ran)
        logger.info(
            "session %d, %s, %s: %s in %.1f s, %s s of processor time",
            session.number,
            session.day,
            session.happens,
            "failed" if ran is None or ran.status else "well",
            time.monotonic() - began,
            "?" if ran is None else ran.cpu_seconds,
        )

    def _carry_out(self, session: Session, symbols: list[str], now: datetime) -> Ran | None:
        chance = random.Random(session.chance)
        first = session.day - _HISTORY
        conf: dict[str, Any] = {**CHEAP, "symbols": symbols, "start_date": str(first)}
        happens = session.happens
        if happens == "promotion":
            conf["gate_override_reason"] = "the soak wants a promotion"
            conf["min_sessions_between_promotions"] = 0
        if happens in OUTAGES:
            ran = self._run(conf, now)
            assert ran.status != 0, ran.output
            self.failed += 1
            return ran
        if happens in KILLS:
            for _ in range(chance.choice([1, 1, 2])):
                after = chance.uniform(0.2, self._usual_seconds)
                self.kills += self.installation.run_and_kill(conf, now, happens, after)
                now += timedelta(minutes=3)
        elif happens == "restart_postgres":
            self.installation.restart_postgres()
        elif happens == "disk_full" and self.has_own_disk:
            after = chance.uniform(0.2, self._usual_seconds)
            ran = self.installation.run_on_a_full_disk(conf, now, after, _LITTLE_SPACE)
            self.failed += ran.status != 0
            now += timedelta(minutes=3)
        elif happens == "roll_back" and self._count("promotions") > 1:
            rolled = self.installation.carry_out(
                "roll_back_champion", {"model_name": MODEL_NAME}, now
            )
            assert rolled.status == 0, rolled.output
            now += timedelta(minutes=3)
        elif happens == "weekend" and session.day.weekday() == 0:
            # The Saturday before: no session is due that was not forecast.
            before = self._count("predictions")
            ran = self._run(conf, now.replace(hour=8) - timedelta(days=2))
            assert ran.status == 0, ran.output
            assert self._count("predictions") == before or self._was_missed
        ran = self._run(conf, now)
        assert ran.status == 0, f"{session}: {ran.output}"
        if happens == "twice":
            before = self._count("predictions"), self._count("daily_prices")
            again = self._run(conf, now + timedelta(minutes=5))
            assert again.status == 0, again.output
            assert (self._count("predictions"), self._count("daily_prices")) == before
        return ran

    @property
    def _usual_seconds(self) -> float:
        return statistics.median(self.durations[-20:]) if self.durations else 8.0

    def _run(self, conf: dict[str, Any], now: datetime) -> Ran:
        began = time.monotonic()
        ran = self.installation.run(conf, now)
        if ran.status == 0:
            self.durations.append(time.monotonic() - began)
        return ran

    def _due(self, session: Session, symbols: list[str]) -> datetime:
        universe = load_universe()
        context = Context(universe.select(CONTEXT), "after_close")
        return due_at(session.day, universe.select(symbols), context) + timedelta(minutes=10)

    def _show(self, session: Session) -> None:
        chance = random.Random(session.chance)
        for symbol in (*SYMBOLS, *CONTEXT):
            if self.market.is_known(symbol, session.day):
                self.server.replace_prices(symbol, self.market.with_future(symbol, session.day))
            else:
                self.server.break_symbol(symbol, "unknown")
        happens = session.happens
        asked = self.market.asked_on(session.day)
        if happens in OUTAGES:
            for symbol in (*SYMBOLS, *CONTEXT):
                self.server.break_symbol(symbol, happens)  # type: ignore[arg-type]
        elif happens == "context_missing":
            self.server.break_symbol(chance.choice(CONTEXT), "server_error")
        elif happens in (*FAULTY_BARS, "missing_last", "unknown", "rate_limit_once"):
            self.server.break_symbol(chance.choice(asked), happens)  # type: ignore[arg-type]

    def _heal(self) -> None:
        for symbol in (*SYMBOLS, *CONTEXT):
            self.server.heal_symbol(symbol)

    def _remember(self, session: Session) -> None:
        """Note what the vendor gave last of each symbol whose extraction succeeded."""
        with self._engine() as engine, engine.connect() as connection:
            rows = connection.execute(
                text(
                    "SELECT extraction.symbol, extraction.requested_end, run.as_of_date "
                    "FROM roi.extractions AS extraction JOIN roi.runs AS run USING (run_id) "
                    "WHERE run.model_name = :name AND extraction.status = 'ok' "
                    "AND run.as_of_date = :day"
                ),
                {"name": MODEL_NAME, "day": session.day},
            ).all()
            found = connection.execute(
                text(
                    "SELECT restatement.* FROM roi.price_restatements AS restatement "
                    "JOIN roi.runs USING (run_id) WHERE model_name = :name "
                    "ORDER BY id OFFSET :known"
                ),
                {"name": MODEL_NAME, "known": self.restatements},
            ).all()
        self.restatements += len(found)
        given = {}
        for row in rows:
            shown = self.market.shown(row.symbol, session.day)
            own = shown[shown["trading_date"].dt.date <= row.requested_end]
            given[row.symbol] = own.reset_index(drop=True)
        expected = {
            symbol: ratios
            for symbol, bars in given.items()
            if (ratios := restated(self.memory.given.get(symbol), bars)) is not None
        }
        assert {row.symbol for row in found} == expected.keys(), session
        for row in found:
            ratios = (row.close_ratio, row.adj_close_ratio)
            assert np.allclose(ratios, expected[row.symbol], rtol=1e-6), (row, expected)
        self._corrections_are_recorded(given, restated=expected.keys())
        self.memory.given |= given

    def _corrections_are_recorded(
        self, given: dict[str, pd.DataFrame], *, restated: Collection[str]
    ) -> None:
        """Check that the former value of every corrected bar is in `roi.changed_rows`."""
        with self._engine() as engine, engine.connect() as connection:
            for symbol, bars in given.items():
                if symbol in restated or symbol not in self.memory.given:
                    continue
                for day, close in corrected(self.memory.given[symbol], bars):
                    former = connection.scalars(
                        text(
                            "SELECT (bar->>'close')::float FROM roi.changed_rows, "
                            "jsonb_array_elements(old_values->'bars') AS bar "
                            "WHERE table_name = 'daily_prices' AND old_values->>'symbol' = :symbol "
                            "AND bar->>'trading_date' = :day"
                        ),
                        {"symbol": symbol, "day": str(day)},
                    ).all()
                    assert np.isclose(former, close).any(), (symbol, day, close, former)

    def _check(self, session: Session, now: datetime, *, scored: bool) -> None:
        with self._engine() as engine:
            check_everything(engine, self.settings, MODEL_NAME, self.memory, scored=scored)
            with engine.connect() as connection:
                others = connection.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = :name "
                        "AND pid <> pg_backend_pid() AND application_name NOT LIKE 'roi_web%'"
                        "AND usename <> 'roi_pages'"
                    ),
                    {"name": MARKET_DATABASE},
                )
            assert others == 0, f"{others} connections are left"
        if session.happens != "kill_command":
            assert self.installation.remaining() == []
        old = (now - timedelta(days=3)).timestamp()
        if session.prune:
            assert leftovers(self.installation.home.data_directory, old) == []

    def _prune(self, now: datetime) -> None:
        pruned = self.installation.carry_out("prune_registry", {}, now)
        assert pruned.status == 0, pruned.output
        self._move_files_to(now)
        with self._engine() as engine:
            check_everything(engine, self.settings, MODEL_NAME, self.memory, scored=False)
        data = self.installation.home.data_directory
        assert leftovers(data, (now - timedelta(days=2)).timestamp()) == []

    def clean_airflow(self, now: datetime) -> str:
        """Delete Airflow's own history of old runs, as docs/reliability.md shows."""
        before = now - _AIRFLOW_KEEPS
        cleaned = self.installation.airflow(
            f"db clean --clean-before-timestamp {before:%Y-%m-%d} --skip-archive --yes", now
        )
        assert cleaned.status == 0, cleaned.output
        return cleaned.output

    def _move_files_to(self, now: datetime) -> None:
        """Give what was written since the last session the time stamp of the moved clock."""
        moment = now.timestamp()
        for path in (self.installation.home.data_directory).rglob("*"):
            if not path.is_symlink() and path.lstat().st_mtime > self._written_after:
                os.utime(path, (moment, moment))

    @property
    def _written_after(self) -> float:
        # The sessions lie years before the machine's own time.
        return datetime(2026, 1, 1, tzinfo=UTC).timestamp()

    def _count(self, table: str) -> int:
        with self._engine() as engine, engine.connect() as connection:
            return int(connection.scalar(text(f"SELECT count(*) FROM roi.{table}")) or 0)

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        engine = create_database_engine(self.installation.postgres.url(MARKET_DATABASE))
        try:
            yield engine
        finally:
            engine.dispose()

    def _measure(self, session: Session, ran: Ran | None) -> None:
        assert self.pages is not None
        address, process = self.pages
        home = self.installation.home
        airflow = create_engine(self.installation.postgres.url(AIRFLOW_DATABASE, AIRFLOW_DRIVER))
        server = int((home.postgres_directory / "postmaster.pid").read_text().split()[0])
        with self._engine() as engine, airflow.connect() as connection:
            self.measured.append(
                Measured(
                    session=session.number,
                    seconds=ran.cpu_seconds if ran and ran.status == 0 else None,
                    page_seconds=slowest_page(address),
                    market=database_size(engine),
                    airflow=database_size(airflow),
                    runs=int(connection.scalar(text("SELECT count(*) FROM dag_run")) or 0),
                    xcoms=int(connection.scalar(text("SELECT count(*) FROM xcom")) or 0),
                    files=size_below(home.data_directory),
                    logs=size_below(home.logs_directory) + size_below(home.task_logs_directory),
                    pages_memory=private_memory([process, *process.children(recursive=True)]),
                    postgres_memory=private_memory(
                        [psutil.Process(server), *psutil.Process(server).children(recursive=True)]
                    ),
                    largest=table_sizes(engine, "roi"),
                )
            )
        airflow.dispose()


@contextmanager
def answered_pages(installation: Installation, log: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Start the process that answers pages, and give its address and itself."""
    port = free_port()
    environment = airflow_environment(installation.home, installation.postgres)
    tests = str(Path(__file__).parents[1])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "soak.pages", str(port)],
            env={**environment, "PYTHONPATH": tests},
            stdout=output,
            stderr=output,
        )
    try:
        address = f"http://127.0.0.1:{port}/roi/"
        deadline = time.monotonic() + 120
        while True:
            try:
                slowest_page(address)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.3)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()
