"""`make up`: the live Airflow, in the foreground, until a signal or a process ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from roi_forecast.universe import load_universe
from roi_local.command import Interrupted, run_command
from roi_local.environment import (
    ADMINISTRATOR,
    RUN_PURPOSE,
    UP_PURPOSE,
    Home,
    airflow_environment,
    chosen_port,
    load_secrets,
)
from roi_local.errors import LocalError
from roi_local.ports import require_free_port
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.programs import last_line
from roi_local.postgres.server import start_postgres
from roi_local.private_files import hold_lock
from roi_local.processes import end_processes, mark
from roi_local.run_progress.events import EVENTS_VARIABLE
from roi_local.stack import DEFAULT_PORT, Stack

_COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": ("airflow", "api-server"),
    "scheduler": ("roi_local.airflow_process", "scheduler"),
    "dag-processor": ("airflow", "dag-processor"),
    # Without -s, its log server would listen on all addresses.
    "triggerer": ("airflow", "triggerer", "-s"),
}


def run_stack(home: Home, port: int) -> int:
    """Run the live stack until a signal arrives or one of its processes ends.

    Args:
        home: The installation.
        port: TCP port on 127.0.0.1.

    Raises:
        LocalError: Another `make up` or `make run` is at work, the port is taken, or a process
            ended.
        UniverseError: The file that `ROI_UNIVERSE` names cannot be used.
    """
    # Airflow would start without its daily DAG.
    load_universe()
    stack = Stack(os.getpid(), port)
    with ExitStack() as cleanup:
        with hold_lock(
            home.lock(RUN_PURPOSE),
            "a `make run` is at work; start the live stack after it has ended",
        ):
            cleanup.enter_context(
                hold_lock(
                    home.lock(UP_PURPOSE), "the live stack is up already; `make down` stops it"
                )
            )
            for purpose in (RUN_PURPOSE, UP_PURPOSE):
                end_processes(home.mark(purpose))
            for path in (home.stack_file, home.events_file(UP_PURPOSE)):
                path.unlink(missing_ok=True)
            require_free_port(port)
            print("Starting PostgreSQL and migrating the databases ...", flush=True)
            postgres = cleanup.enter_context(start_postgres(home.postgres_directory))
            environment = airflow_environment(home, postgres, port=port)
            prepare_market(postgres)
            prepare_airflow(home, postgres, environment)
        cleanup.callback(home.stack_file.unlink, missing_ok=True)
        cleanup.callback(end_processes, home.mark(UP_PURPOSE))
        environment[EVENTS_VARIABLE] = str(home.events_file(UP_PURPOSE))
        components = _start_components(home, mark(environment, home.mark(UP_PURPOSE)))
        stack.write(home)
        try:
            _supervise(home, stack, components)
        except Interrupted:
            print("Stopping Airflow and PostgreSQL ...", flush=True)
    print("Stopped.", flush=True)
    return 0


def _start_components(
    home: Home, environment: Mapping[str, str]
) -> dict[str, subprocess.Popen[bytes]]:
    components = {}
    home.logs_directory.mkdir(parents=True, exist_ok=True)
    for name, arguments in _COMPONENTS.items():
        with _log_path(home, name).open("wb") as log:
            components[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal reaches this command only, which then ends them.
                start_new_session=True,
            )
    return components


def _supervise(
    home: Home, stack: Stack, components: Mapping[str, subprocess.Popen[bytes]]
) -> NoReturn:
    print(f"Starting Airflow, logs in {home.logs_directory} ...", flush=True)
    announced = False
    while True:
        for name, process in components.items():
            if process.poll() is not None:
                log_path = _log_path(home, name)
                raise LocalError(
                    f"{name} ended with status {process.returncode}, so the stack was stopped; "
                    f"its last line: {last_line(log_path)} (log: {log_path})"
                )
        if not announced and not stack.unhealthy_components():
            announced = True
            password = load_secrets(home).administrator_password
            print(f"Airflow is up at {stack.address}", flush=True)
            print(f"The forecast pages are at {stack.pages_address}", flush=True)
            print(f"Log in as {ADMINISTRATOR} with the password {password}", flush=True)
            print("Ctrl-C here or `make down` elsewhere stops it.", flush=True)
        time.sleep(1)


def _log_path(home: Home, name: str) -> Path:
    return home.logs_directory / f"{name}.log"


if __name__ == "__main__":
    run_command("up", lambda: run_stack(Home.from_environment(), chosen_port(DEFAULT_PORT)))
