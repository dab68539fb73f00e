"""Installations of their own for tests: a tiny DAG named like the daily one, a live stack."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from roi_local.environment import (
    DAGS_FOLDER_VARIABLE,
    HOME_VARIABLE,
    RUN_PURPOSE,
    UP_PURPOSE,
    Home,
)
from roi_local.processes import find_processes

READY_SECONDS = 240
MAKE_VARIABLES = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")

TINY_DAG = """
import logging
import time
from datetime import datetime

from airflow.sdk import Param, dag, task

log = logging.getLogger("roi_forecast.training")


@dag(
    dag_id="daily_roi_forecast",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    params={
        "source": Param("yahoo", type="string"),
        "seed": Param(0, type="integer", maximum=10),
        "gate_override_reason": Param(None, type=["null", "string"]),
    },
)
def daily():
    @task
    def resolve_run():
        return ["A", "B", "C"]

    @task
    def extract_prices(symbol):
        log.info("rows of %s", symbol)

    @task
    def train_model(params=None):
        for epoch in (1, 2):
            log.info("epoch %d/2: loss 0.5 validation_loss 0.6", epoch, extra={"step": (epoch, 2)})
        log.info("reason: %s", params["gate_override_reason"])
        if params["seed"] == 7:
            raise ValueError(f"seed 7 fails\\n{params['gate_override_reason']}")
        if params["seed"] == 9:
            time.sleep(600)

    extract_prices.expand(symbol=resolve_run()) >> train_model()


daily()
"""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def command_environment(home: Home) -> dict[str, str]:
    """The environment in which a `make` target of another installation would run."""
    # `make test` is a make too: one below it would print which folder it enters.
    inherited = {name: text for name, text in os.environ.items() if name not in MAKE_VARIABLES}
    return {
        **inherited,
        HOME_VARIABLE: str(home.directory),
        DAGS_FOLDER_VARIABLE: str(home.dags_folder),
    }


def create_installation(folder: Path) -> Home:
    """An installation in an empty folder whose only DAG is the tiny one."""
    home = Home(folder / "roi", folder / "dags")
    home.dags_folder.mkdir()
    (home.dags_folder / "daily.py").write_text(TINY_DAG, encoding="utf-8")
    return home


def start_command(home: Home, command: str, **variables: str) -> subprocess.Popen[str]:
    """Start what a `make` target runs."""
    return subprocess.Popen(
        [sys.executable, "-m", f"roi_local.commands.{command}"],
        env=command_environment(home) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_command(home: Home, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run what a `make` target runs, to its end."""
    process = start_command(home, command, **variables)
    output, errors = process.communicate(timeout=240)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def remaining_processes(home: Home) -> list[psutil.Process]:
    """Everything of an installation that still runs, PostgreSQL included."""
    servers = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(home.postgres_directory):
                servers.append(process)
        except (psutil.Error, OSError):
            continue
    purposes = (UP_PURPOSE, RUN_PURPOSE)
    return servers + [
        process for purpose in purposes for process in find_processes(home.mark(purpose))
    ]


@dataclass
class LiveStack:
    """A `make up` that runs for the tests."""

    home: Home
    port: int
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Send SIGTERM, as a service manager would, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


def wait_for_login(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    deadline = time.monotonic() + READY_SECONDS
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.match("Log in as admin with the password ", line):
            return
        if time.monotonic() > deadline:
            break
    pytest.fail("the live stack did not come up:\n" + "".join(lines))
