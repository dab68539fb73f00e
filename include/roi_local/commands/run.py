"""Carrying out one DAG run to its end from the shell; `make run` is that of the daily workflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Engine

from roi_forecast.database.engine import create_database_engine
from roi_forecast.settings import DEADLINE_VARIABLE, NO_DEADLINE
from roi_local.command import one_line, run_command
from roi_local.environment import (
    AIRFLOW_DATABASE,
    MARKET_DATABASE,
    PIPELINE_LOGIN,
    Home,
    airflow_environment,
)
from roi_local.errors import LocalError
from roi_local.locks import hold_lock
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.server import AIRFLOW_DRIVER, EmbeddedPostgres, start_postgres
from roi_local.processes import end_processes, mark
from roi_local.run_parameters import run_parameters
from roi_local.run_progress.airflow_metadata import (
    fail_abandoned_runs,
    find_run_id,
    metadata_engine,
)
from roi_local.run_progress.follow import FollowedRun, follow_run
from roi_local.run_progress.log_events import LogEvent, ProcessOutput, TaskLogFiles
from roi_local.run_progress.progress import ProgressPrinter, summarise
from roi_local.run_progress.report import print_report
from roi_local.stack import (
    RUN_PURPOSE,
    is_stack_up,
    purpose_mark,
    read_stack,
    run_lock,
)

DAILY_DAG = "daily_roi_forecast"

Report = Callable[[Engine, str, TextIO], None]
"""Prints what came of a run, from the market database and the run's id."""

# Airflow's process has nothing to put in order: what it leaves unfinished is marked as failed.
_PATIENCE_SECONDS = 2.0

# Airflow 3.3.2 cannot end a run in one process that has a deadline alert.
_ONE_PROCESS = {"AIRFLOW__LOGGING__JSON_LOGS": "True", DEADLINE_VARIABLE: NO_DEADLINE}


def run_once(home: Home, dag_id: str, conf: Mapping[str, Any], report: Report, out: TextIO) -> int:
    """Carry out a DAG to its end and print what came of it.

    Where the live stack is up, it carries the run out; otherwise one process of Airflow does.

    Args:
        home: The installation.
        dag_id: The DAG.
        conf: The run's parameters.
        report: Prints the result of a run that succeeded.
        out: Where to print.

    Raises:
        LocalError: The run failed or could not start; the message says why and where the log lies.
    """
    began = time.monotonic()
    stages: dict[str, float] = {}
    refusal = "another `make run` or `make up` is just at work; try again when it is done"
    with ExitStack() as cleanup:
        cleanup.enter_context(hold_lock(run_lock(home), refusal))
        printer = ProgressPrinter(out, interactive=out.isatty())
        if is_stack_up(home):
            postgres = cleanup.enter_context(start_postgres(home.postgres_directory))
            prepare_market(postgres)
            followed, log_path = _run_on_stack(home, postgres, dag_id, conf, printer, out)
        elif conf.get("approval_hours") is not None:
            raise LocalError(
                f"approval_hours: received {conf['approval_hours']}, but without the live Airflow "
                "nobody can be asked; start it with `make up` first, or leave the parameter out"
            )
        else:
            with _timed(stages, "preparation"):
                end_processes(purpose_mark(home, RUN_PURPOSE), patience=_PATIENCE_SECONDS)
                postgres = cleanup.enter_context(start_postgres(home.postgres_directory))
                environment = airflow_environment(home, postgres)
                prepare_market(postgres)
                engine = prepare_airflow(home, postgres, environment)
                fail_abandoned_runs(engine)
            try:
                followed, log_path = _run_in_one_process(
                    home, environment, engine, dag_id, conf, printer, stages, out
                )
            finally:
                engine.dispose()
        failure = followed.failure()
        if failure is None:
            market = create_database_engine(postgres.url(MARKET_DATABASE, login=PIPELINE_LOGIN))
            report(market, followed.run.run_id, out)
            market.dispose()
        _print_times(stages, followed, time.monotonic() - began, out)
    if failure is not None:
        raise LocalError(f"{failure} (log: {log_path})")
    return 0


def _run_in_one_process(
    home: Home,
    environment: Mapping[str, str],
    engine: Engine,
    dag_id: str,
    conf: Mapping[str, Any],
    printer: ProgressPrinter,
    stages: dict[str, float],
    out: TextIO,
) -> tuple[FollowedRun, Path]:
    logical_date = datetime.now(UTC)
    home.logs_directory.mkdir(parents=True, exist_ok=True)
    log_path = home.logs_directory / f"run_{logical_date:%Y%m%dT%H%M%S_%f}.log"
    print(f"Log: {log_path}", file=out, flush=True)
    purpose = purpose_mark(home, RUN_PURPOSE)
    arguments = ["dags", "test", dag_id, logical_date.isoformat(), "--conf", json.dumps(conf)]
    with ExitStack() as cleanup:
        cleanup.callback(fail_abandoned_runs, engine)
        cleanup.callback(end_processes, purpose, patience=_PATIENCE_SECONDS)
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            env=mark({**environment, **_ONE_PROCESS}, purpose),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None  # nosec B101 # noqa: S101, a pipe was asked for
        output = ProcessOutput(process.stdout, log_path)
        with _timed(stages, "Airflow's start"):
            run_id = _wait_for_run(engine, dag_id, logical_date, process, output, log_path)
        followed = follow_run(
            engine,
            dag_id,
            run_id,
            source=output,
            printer=printer,
            is_carried_out=lambda: process.poll() is None,
        )
        process.wait()
        output.finish()
    if not followed.run.is_finished:
        raise LocalError(
            f"Airflow's process ended with status {process.returncode} in the middle of the run "
            f"(log: {log_path})"
        )
    return followed, log_path


def _wait_for_run(
    engine: Engine,
    dag_id: str,
    logical_date: datetime,
    process: subprocess.Popen[str],
    output: ProcessOutput,
    log_path: Path,
) -> str:
    while True:
        ended = process.poll() is not None
        run_id = find_run_id(engine, dag_id, logical_date)
        if run_id is not None:
            return run_id
        if ended:
            output.finish()
            raise LocalError(f"{dag_id} did not start: {_reason(output.poll())} (log: {log_path})")
        time.sleep(0.2)


def _reason(events: list[LogEvent]) -> str:
    errors = [event.error for event in events if event.error]
    if errors:
        return one_line("; ".join(dict.fromkeys(errors)))
    messages = [event.message for event in events if event.message.strip()]
    return one_line(messages[-1]) if messages else "no output"


def _run_on_stack(
    home: Home,
    postgres: EmbeddedPostgres,
    dag_id: str,
    conf: Mapping[str, Any],
    printer: ProgressPrinter,
    out: TextIO,
) -> tuple[FollowedRun, Path]:
    stack = read_stack(home)
    print(f"The live stack at {stack.address} carries the run out.", file=out, flush=True)
    run_id = stack.trigger(home, dag_id, conf)
    log_path = home.task_logs_directory / f"dag_id={dag_id}" / f"run_id={run_id}"
    print(f"Run {run_id}, logs: {log_path}", file=out, flush=True)
    engine = metadata_engine(postgres.url(AIRFLOW_DATABASE, AIRFLOW_DRIVER))
    try:
        followed = follow_run(
            engine,
            dag_id,
            run_id,
            source=TaskLogFiles(log_path),
            printer=printer,
            is_carried_out=lambda: is_stack_up(home),
        )
    finally:
        engine.dispose()
    if not followed.run.is_finished:
        raise LocalError(f"the live stack was stopped before run {run_id} had ended")
    return followed, log_path


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    stages[name] = time.monotonic() - began


def _print_times(
    stages: Mapping[str, float], followed: FollowedRun, total: float, out: TextIO
) -> None:
    times = dict(stages)
    for task in summarise(followed.run):
        if task.seconds is not None:
            times[task.task_id] = task.seconds
    times["everything"] = total
    print("\nTime per stage, in seconds:", file=out)
    for name, seconds in times.items():
        print(f"  {name:<16} {seconds:>7.1f}", file=out)
    out.flush()


if __name__ == "__main__":
    run_command(
        "run",
        lambda: run_once(
            Home.from_environment(),
            DAILY_DAG,
            run_parameters(os.environ),
            print_report,
            sys.stdout,
        ),
    )
