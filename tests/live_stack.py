"""ONE live Airflow for all tests that only use it: the real DAGs and plugins, run by `make up`.

Ask for the fixture `shared_stack` and mark the test file as live:

    pytestmark = [pytest.mark.live, pytest.mark.slow]

    def test_something(shared_stack: SharedStack) -> None:
        run_id = shared_stack.trigger("daily_roi_forecast", **SMALL, model_name="something")
        run = shared_stack.wait_for_end("daily_roi_forecast", run_id)
        with shared_stack.market.connect() as connection: ...
        status, answer = shared_stack.request("GET", "/api/v2/assets")

It starts when the first test asks for it (about a minute) and stops after the last file that uses
it, whatever number of pytest processes there is. Hence its users

- take a `model_name` of their own, and prices from the source `simulated` (there is no network),
- do not stop it, pause its DAGs or delete what others made,
- find a DAG of their own in `tests/live_dags/`, whose files lie next to the real ones and to the
  example of docs/airflow.md, `report.py`.

While you write such a test, keep a stack up yourself (`ROI_HOME=… make up`) and name its folder
with ROI_LIVE_STACK=…: tests then use that one and leave it running.

A browser logs in at `shared_stack.address` as `admin` with `shared_stack.password`.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from json import dumps, loads
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

from sqlalchemy import Engine

from airflow_runs import RunState, metadata_engine, read_run
from documentation import commands, snippet
from installation import READY_SECONDS, command_environment, free_port, remaining_processes
from roi_forecast.database.engine import create_database_engine
from roi_local.environment import (
    ADMINISTRATOR,
    AIRFLOW_DATABASE,
    MARKET_DATABASE,
    REPOSITORY,
    Home,
    load_secrets,
)
from roi_local.postgres.server import AIRFLOW_DRIVER, EmbeddedPostgres, start_postgres
from roi_local.stack import Stack, is_stack_up, read_stack
from tiny_network import TINY_NETWORK

SMALL: dict[str, Any] = {
    "source": "simulated",
    "symbols": ["TCS.NS", "GC=F"],
    "context_symbols": [],
    "start_date": "2023-07-03",
    "as_of_date": "2024-12-27",
    **TINY_NETWORK,
}
"""A conf of the daily DAG with which a run takes seconds: each asset is a task."""

KEPT_STACK_VARIABLE = "ROI_LIVE_STACK"
LIVE_DAGS = Path(__file__).with_name("live_dags")

_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class SharedStack:
    """The live stack as a test sees it.

    Attributes:
        home: Its installation.
        address: Where the API server and the UI answer.
        password: Of the user `admin`.
        market: The market database.
        metadata: Airflow's own database.
    """

    home: Home
    address: str
    password: str
    market: Engine
    metadata: Engine

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a manual run and return its id."""
        return read_stack(self.home).trigger(self.home, dag_id, conf)

    def read_run(self, dag_id: str, run_id: str) -> RunState:
        """Return the present state of a run."""
        return read_run(self.metadata, dag_id, run_id)

    def wait_for_end(self, dag_id: str, run_id: str, seconds: float = 300) -> RunState:
        """Return the run once it has ended."""
        deadline = time.monotonic() + seconds
        while not (run := self.read_run(dag_id, run_id)).is_finished:
            assert time.monotonic() < deadline, run
            time.sleep(0.5)
        return run

    def wait_for_state(
        self, dag_id: str, run_id: str, task_id: str, state: str, seconds: float = 300
    ) -> None:
        """Return once a task of a run has a state; fail where the run ends without it."""
        deadline = time.monotonic() + seconds
        while True:
            run = self.read_run(dag_id, run_id)
            if any((task.task_id, task.state) == (task_id, state) for task in run.tasks):
                return
            assert time.monotonic() < deadline, run
            assert not run.is_finished, run
            time.sleep(0.5)

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Ask Airflow's REST API as the administrator; return status and decoded answer.

        An answer that is not JSON comes as text, and an empty one as None.
        """
        login = {"username": ADMINISTRATOR, "password": self.password}
        _, answer = self._send("POST", "/auth/token", login, {})
        token = {"Authorization": f"Bearer {answer['access_token']}"}
        return self._send(method, path, body, token)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        request = Request(
            self.address + path,
            method=method,
            data=None if body is None else dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with _opener.open(request, timeout=60) as response:
                status, content, kind = response.status, response.read(), response.headers
        except HTTPError as error:
            status, content, kind = error.code, error.read(), error.headers
        if "json" not in kind.get_content_subtype():
            return status, content.decode() or None
        return status, loads(content)


def task_states(run: RunState) -> dict[str, set[str | None]]:
    """Return the states of the instances of each task."""
    found: dict[str, set[str | None]] = {}
    for task in run.tasks:
        found.setdefault(task.task_id, set()).add(task.state)
    return found


@contextmanager
def join_shared_stack() -> Iterator[SharedStack]:
    """Use the stack of this pytest session, starting it if need be; the last user stops it."""
    if KEPT_STACK_VARIABLE in os.environ:
        home = Home(Path(os.environ[KEPT_STACK_VARIABLE]))
        with start_postgres(home.postgres_directory) as postgres:
            yield from _open(home, postgres)
        return
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
    folder = Path(gettempdir(), f"roi-live-{session}")
    folder.mkdir(exist_ok=True)
    home = Home(folder / "roi", folder / "dags")
    with (folder / "users").open("ab") as users:
        try:
            with _alone(folder):
                if not is_stack_up(home):
                    _start(home, folder / "up.log")
                # Each user holds a shared lock, which the kernel releases however the user ends.
                fcntl.flock(users, fcntl.LOCK_SH)
            with start_postgres(home.postgres_directory) as postgres:
                yield from _open(home, postgres)
        finally:
            with _alone(folder):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    fcntl.flock(users, fcntl.LOCK_UN)
                else:
                    _stop(home)
                    left = remaining_processes(home)
                    shutil.rmtree(folder)
                    assert left == []


def leave_shared_stack(stack: SharedStack, path: Path, all_paths: set[Path]) -> None:
    """Note that a test file is done with the stack; after the last one, stop it.

    It would cost the other tests a part of a core until the session ends.
    """
    if KEPT_STACK_VARIABLE in os.environ:
        return
    folder = stack.home.directory.parent
    with _alone(folder):
        with (folder / "left").open("a", encoding="utf-8") as left:
            left.write(f"{path}\n")
        if {*(folder / "left").read_text(encoding="utf-8").split("\n")} >= {*map(str, all_paths)}:
            _stop(stack.home)


def _open(home: Home, postgres: EmbeddedPostgres) -> Iterator[SharedStack]:
    market = create_database_engine(postgres.url(MARKET_DATABASE))
    metadata = metadata_engine(postgres.url(AIRFLOW_DATABASE, AIRFLOW_DRIVER))
    password = load_secrets(home).administrator_password
    try:
        yield SharedStack(home, read_stack(home).address, password, market, metadata)
    finally:
        market.dispose()
        metadata.dispose()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "alone").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(home: Home, log_path: Path) -> None:
    shutil.copytree(REPOSITORY / "dags", home.dags_folder, ignore=shutil.ignore_patterns("__*"))
    for path in LIVE_DAGS.glob("*.py"):
        shutil.copy(path, home.dags_folder)
    example = snippet("python", "docs/airflow.md")
    (home.dags_folder / "report.py").write_text(example, encoding="utf-8")
    (documented,) = {command.text for command in commands("stack")}
    # A file and a session of its own: it outlives the pytest process that starts it.
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            shlex.split(documented),
            cwd=REPOSITORY,
            # The packages are there: these tests run in them.
            env=command_environment(home) | {"PORT": str(free_port()), "PYTHON": "true"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while "Log in as admin" not in log_path.read_text():
        assert process.poll() is None, log_path.read_text()
        assert time.monotonic() < deadline, log_path.read_text()
        time.sleep(0.5)


def _stop(home: Home) -> None:
    if not is_stack_up(home):
        return
    stack: Stack = read_stack(home)
    os.kill(stack.process_id, signal.SIGTERM)
    deadline = time.monotonic() + 120
    while is_stack_up(home):
        assert time.monotonic() < deadline, "the live stack did not stop"
        time.sleep(0.2)
