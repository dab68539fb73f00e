"""`make up`: the live Airflow, in the foreground, until a signal or a process ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from roi_local.command import Interrupted, run_command
from roi_local.environment import (
    ADMINISTRATOR,
    Home,
    airflow_environment,
    chosen_port,
    load_secrets,
)
from roi_local.errors import LocalError
from roi_local.locks import hold_lock
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.server import start_postgres
from roi_local.processes import end_processes, mark
from roi_local.run_progress.airflow_metadata import fail_abandoned_runs
from roi_local.stack import (
    RUN_PURPOSE,
    UP_PURPOSE,
    Stack,
    forget_stack,
    purpose_mark,
    run_lock,
    stack_lock,
)

DEFAULT_PORT = 8080

# The log servers of scheduler and triggerer would listen on all addresses: -s leaves them out.
_COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": (),
    "scheduler": ("-s",),
    "dag-processor": (),
    "triggerer": ("-s",),
}


def run_stack(home: Home, port: int) -> int:
    """Run the live stack until a signal arrives or one of its processes ends.

    Args:
        home: The installation.
        port: TCP port on 127.0.0.1.

    Raises:
        LocalError: Another `make up` or `make run` is going, the port is taken, or a process ended.
    """
    stack = Stack(os.getpid(), port)
    with ExitStack() as cleanup:
        with hold_lock(
            run_lock(home), "a `make run` is going on; start the live stack after it has ended"
        ):
            cleanup.enter_context(
                hold_lock(stack_lock(home), "the live stack is up already; `make down` stops it")
            )
            for purpose in (RUN_PURPOSE, UP_PURPOSE):
                end_processes(purpose_mark(home, purpose))
            forget_stack(home)
            _require_free_port(port)
            print("Starting PostgreSQL and migrating the databases ...", flush=True)
            postgres = cleanup.enter_context(start_postgres(home.postgres_directory))
            environment = airflow_environment(home, postgres, port=port)
            prepare_market(postgres)
            engine = prepare_airflow(home, postgres, environment)
            fail_abandoned_runs(engine)
            engine.dispose()
        cleanup.callback(forget_stack, home)
        cleanup.callback(end_processes, purpose_mark(home, UP_PURPOSE))
        components = _start_components(home, mark(environment, purpose_mark(home, UP_PURPOSE)))
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
                [sys.executable, "-m", "airflow", name, *arguments],
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
                    f"its last line: {_last_line(log_path)} (log: {log_path})"
                )
        if not announced and not stack.unhealthy_components():
            announced = True
            password = load_secrets(home).administrator_password
            print(f"Airflow is up at {stack.address}", flush=True)
            print(f"Log in as {ADMINISTRATOR} with the password {password}", flush=True)
            print("Ctrl-C here or `make down` elsewhere stops it.", flush=True)
        time.sleep(1)


def _require_free_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); "
                "choose another one with PORT=..."
            ) from None


def _log_path(home: Home, name: str) -> Path:
    return home.logs_directory / f"{name}.log"


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "none"


if __name__ == "__main__":
    run_command("up", lambda: run_stack(Home.from_environment(), chosen_port(DEFAULT_PORT)))
