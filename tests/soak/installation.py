"""The installation that the sessions run in: `make run` at a given moment, and its kills."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from installation import command_environment, remaining_processes
from roi_forecast.settings import DEADLINE_VARIABLE, NO_DEADLINE, url_variable
from roi_local.commands.airflow import ARGUMENTS_VARIABLE
from roi_local.environment import RUN_PURPOSE, Home, airflow_environment
from roi_local.postgres.server import EmbeddedPostgres, start_postgres
from roi_local.processes import find_processes, mark
from roi_local.run_parameters import CONF_VARIABLE, SOURCE_VARIABLE
from roi_local.run_progress.events import EVENTS_VARIABLE
from warm_python import CLOCK_VARIABLE

_CPU_OF = re.compile(r"roi_local\.airflow_process (\S+)")


@dataclass
class Ran:
    """How a command ended.

    Attributes:
        status: Its exit status.
        output: What it printed.
        cpu_seconds: Processor time of the process that ran the DAG.
    """

    status: int
    output: str
    cpu_seconds: float | None = None


@dataclass
class Installation:
    """A local installation whose commands run at moments that the tests choose.

    Attributes:
        home: Its folder.
        python: The program of `start_warm_python`.
        postgres: The present server; replaced after it was killed.
        source_url: Where the planted vendor answers.
    """

    home: Home
    python: Path
    postgres: EmbeddedPostgres
    source_url: str

    def run(self, conf: Mapping[str, Any], now: datetime) -> Ran:
        """Do what `make run` does, to its end."""
        return self._finish(self._start(conf, now))

    def run_and_kill(self, conf: Mapping[str, Any], now: datetime, kind: str, after: float) -> bool:
        """Start what `make run` starts and kill part of it; tells whether it was still alive."""
        process = self._start(conf, now)
        time.sleep(after)
        struck = process.poll() is None
        if struck and kind == "kill_postgres":
            self.kill_postgres()
        elif struck and kind == "kill_task":
            targets = find_processes(self.home.mark(RUN_PURPOSE))
            struck = targets != []
            for target in targets:
                with suppress(psutil.NoSuchProcess):
                    target.send_signal(signal.SIGKILL)
        elif struck:
            process.kill()
        self._finish(process)
        return struck

    def run_on_a_full_disk(
        self, conf: Mapping[str, Any], now: datetime, after: float, free_bytes: int
    ) -> Ran:
        """Start what `make run` starts; after some seconds its disk has only so much space left."""
        process = self._start(conf, now)
        time.sleep(after)
        with _full_disk(self.home.data_directory, free_bytes):
            return self._finish(process)

    def kill_postgres(self) -> None:
        """Kill PostgreSQL and everything that belongs to it, then start it again."""
        server = int((self.home.postgres_directory / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        self.restart_postgres()

    def restart_postgres(self) -> None:
        """Stop the server, if it still runs, and start it."""
        self.postgres.stop()
        self.postgres = start_postgres(self.home.postgres_directory)

    def carry_out(self, dag_id: str, conf: Mapping[str, Any], now: datetime) -> Ran:
        """Carry another DAG out, as an event or a person would start it."""
        log_path = self.home.logs_directory / f"{dag_id}.log"
        environment = airflow_environment(self.home, self.postgres) | {
            DEADLINE_VARIABLE: NO_DEADLINE,
            EVENTS_VARIABLE: str(self.home.directory / "other_events.jsonl"),
            **_clock(now),
        }
        with log_path.open("wb") as log:
            status = subprocess.call(
                [self.python, "-m", "roi_local.airflow_process", "run", dag_id, json.dumps(conf)],
                env=mark(environment, self.home.mark(RUN_PURPOSE)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return Ran(status, log_path.read_text(errors="replace"))

    def airflow(self, arguments: str, now: datetime) -> Ran:
        """Do what `make airflow` does."""
        return self._finish(self._spawn("airflow", now, {ARGUMENTS_VARIABLE: arguments}))

    def remaining(self) -> list[psutil.Process]:
        """Return the processes of the installation that still run, but for PostgreSQL."""
        folder = str(self.home.postgres_directory)
        found = []
        for process in remaining_processes(self.home):
            with suppress(psutil.Error):
                if process.cwd() != folder:
                    found.append(process)
        return found

    @property
    def usage_file(self) -> Path:
        """Where the warm Python notes processor times."""
        return self.python.with_name("usage")

    def _start(self, conf: Mapping[str, Any], now: datetime) -> subprocess.Popen[str]:
        given = {SOURCE_VARIABLE: "yahoo", CONF_VARIABLE: json.dumps(conf)}
        return self._spawn("run", now, given)

    def _spawn(
        self, command: str, now: datetime, given: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, "-m", f"roi_local.commands.{command}"],
            env=command_environment(self.home)
            | {url_variable("yahoo"): self.source_url}
            | _clock(now)
            | given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _finish(self, process: subprocess.Popen[str]) -> Ran:
        # What it started may outlive a killed command and hold its output open.
        with suppress(subprocess.TimeoutExpired):
            output, _ = process.communicate(timeout=600)
            found = _CPU_OF.findall(self.usage_file.read_text())
            return Ran(process.returncode, output, float(found[-1]) if found else None)
        process.kill()
        raise AssertionError(f"{process.args} did not end within ten minutes")


def _clock(now: datetime) -> dict[str, str]:
    return {CLOCK_VARIABLE: str((now - datetime.now(UTC)).total_seconds())}


@contextmanager
def disk_of_its_own(folder: Path, mebibytes: int) -> Iterator[bool]:
    """Mount a file system of a limited size; gives False where this user must not."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={mebibytes}m"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        is_mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _full_disk(folder: Path, free_bytes: int) -> Iterator[None]:
    """Leave so many bytes free in a folder's file system during a block."""
    ballast = folder / "ballast"
    status = os.statvfs(folder)
    size = max(0, status.f_bavail * status.f_frsize - free_bytes)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    try:
        yield
    finally:
        ballast.unlink()
