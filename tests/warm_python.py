"""A Python that has imported everything slow already: a command starts in a moment.

`start_warm_python` starts a server and writes a program that takes the place of `.venv/bin/python`.
The program hands over its arguments, environment, folder and open files; the server forks, and the
fork becomes the module that `-m` names. What that starts with `sys.executable` is warm as well. A
fork is killed with its program. Its seconds of processor time are added to the file `usage`.

`CLOCK_VARIABLE` moves the clock of a command and of all that it starts.
"""

from __future__ import annotations

import json
import logging
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import time_machine

CLOCK_VARIABLE = "ROI_TEST_CLOCK"
"""Seconds by which the clock of a command, and of all that it starts, is ahead of the machine's.

A DAG that waits for its next attempt then moves its clock instead.
"""

_MAX_BYTES = 2**20

# Nothing may run in TensorFlow: its threads would not be there in a forked process. Nor does curl,
# which yfinance uses, work there.
_IMPORTED = (
    "airflow.models",
    "airflow.sdk",
    "airflow.api_fastapi.execution_api.app",
    "airflow.dag_processing.dagbag",
    "matplotlib.backends.backend_agg",
    "rich.traceback",
    "tensorflow",
    "roi_forecast.backtest.run",
    "roi_forecast.evaluation.evaluate",
    "roi_forecast.market.extraction_batches",
    "roi_forecast.reading.forecasts",
    "roi_forecast.registry.candidates",
    "roi_forecast.serving.forecast_store",
    "roi_local.run_progress.report",
)

# It imports next to nothing, since it starts once for every process.
_CLIENT = """#!{python} -ISE
import json, os, socket, sys
words = sys.argv[1:]
while words and words[0] == "-I":
    words.pop(0)
if words[:1] != ["-m"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
order = {{"words": words[1:], "environment": dict(os.environ), "folder": os.getcwd(),
         "umask": os.umask(0o22), "executable": os.path.abspath(__file__)}}
server = socket.socket(socket.AF_UNIX)
server.connect({socket!r})
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps(order).encode() + b"\\n")
sys.exit(int(server.makefile().readline() or 70))
"""
# Those of the universe, each of which takes a second.
_CALENDARS = ("XBOM", "XNYS", "CMES", "24/5")


@contextmanager
def start_warm_python(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Start a server and give the path of its program.

    Args:
        folder: Where the program, the socket and the server's log lie.
        environment: Of the server: Airflow keeps the database that it names.
    """
    address, program = folder / "socket", folder / "python"
    program.write_text(_CLIENT.format(python=sys.executable, socket=str(address)))
    program.chmod(0o755)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, str(address)],
            env={**environment, "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 240
        while not address.exists():
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield program
    finally:
        process.terminate()
        process.wait()


def _serve(address: str) -> None:
    for name in _IMPORTED:
        import_module(name)
    from airflow.sdk.execution_time.supervisor import in_process_api_server
    from sqlalchemy import MetaData

    from roi_forecast.market.calendar_data import load_calendar

    for code in _CALENDARS:
        load_calendar(code)
    # Both are computed when they are first needed, in a second or two.
    in_process_api_server().app._cadwyn_initialize()
    _ = isinstance(MetaData(), Iterable)
    _check_schemas_once()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address + ".new")
    listener.listen(16)
    Path(address + ".new").rename(address)
    while True:
        client, _ = listener.accept()
        # The process in between waits for the one that works, and answers.
        if os.fork() == 0:
            listener.close()
            _answer(client, Path(address).with_name("usage"))
            os._exit(0)
        client.close()
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _check_schemas_once() -> None:
    """Spare Airflow, which checks the schemas of all parameters for every task, the repetitions."""
    from jsonschema import Draft202012Validator

    check = Draft202012Validator.check_schema
    known: set[str] = set()

    def check_schema(schema: object, **options: object) -> None:
        text = repr(schema)
        if text not in known:
            check(schema, **options)
            known.add(text)

    Draft202012Validator.check_schema = check_schema


def _answer(client: socket.socket, usage: Path) -> None:
    _, files, _, _ = socket.recv_fds(client, 1, 3)
    order = json.loads(client.makefile().readline(_MAX_BYTES))
    worker = os.fork()
    if worker == 0:
        client.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
        _become(order)
    for file in files:
        os.close(file)
    # The program says nothing more: its connection is readable once it is gone.
    ready, _, _ = select.select([client, os.pidfd_open(worker)], [], [])
    if client in ready:
        os.kill(worker, signal.SIGKILL)
    _, status, used = os.wait4(worker, 0)
    with usage.open("a", encoding="utf-8") as lines:
        lines.write(f"{order['words'][0]} {used.ru_utime + used.ru_stime:.3f}\n")
    code = os.waitstatus_to_exitcode(status)
    with suppress(OSError):
        client.sendall(f"{code if code >= 0 else 128 - code}\n".encode())


def _move_clock(seconds: float, *, skips_waits: bool) -> None:
    traveller = time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)).start()
    if skips_waits:
        time.sleep = traveller.shift


def _become(order: dict[str, object]) -> None:
    status = 1
    try:
        words = list(map(str, order["words"]))  # type: ignore[call-overload]
        os.environ.clear()
        os.environ.update(order["environment"])  # type: ignore[call-overload]
        os.chdir(str(order["folder"]))
        os.umask(int(str(order["umask"])))
        sys.executable = str(order["executable"])
        sys.argv[:] = words
        if CLOCK_VARIABLE in os.environ:
            is_dag = words[0] == "roi_local.airflow_process"
            _move_clock(float(os.environ[CLOCK_VARIABLE]), skips_waits=is_dag)
        if words[0].startswith("roi_local.commands."):
            # A process of its own has no logging of Airflow's.
            logging.root.handlers.clear()
            logging.root.setLevel(logging.WARNING)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            status = end.code or 0
        else:
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1])
