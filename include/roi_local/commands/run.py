"""`make run`: the daily workflow once, to its end; also the way other commands run their DAG."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Engine

from roi_forecast.database.engine import create_database_engine
from roi_forecast.settings import DEADLINE_VARIABLE, NO_DEADLINE
from roi_local.command import run_command
from roi_local.environment import (
    MARKET_DATABASE,
    PIPELINE_LOGIN,
    RUN_PURPOSE,
    UP_PURPOSE,
    Home,
    airflow_environment,
)
from roi_local.errors import LocalError
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.programs import last_line
from roi_local.postgres.server import start_postgres
from roi_local.price_files import print_price_files
from roi_local.private_files import hold_lock
from roi_local.processes import end_processes, mark
from roi_local.run_parameters import run_parameters
from roi_local.run_progress.events import EVENTS_VARIABLE, EventReader
from roi_local.run_progress.followed_run import FollowedRun
from roi_local.run_progress.next_steps import NextStep, print_next_steps
from roi_local.run_progress.progress import ProgressPrinter
from roi_local.run_progress.report import print_report, print_table
from roi_local.stack import DEFAULT_PORT, Stack, is_stack_up, read_stack

DAILY_DAG = "daily_roi_forecast"

Report = Callable[[Engine, str, TextIO], list[NextStep]]
"""Prints the result of a run, from the market database and the run's id, and says what is next."""

# Airflow's process has nothing to clean up: the next run marks an unfinished one as failed.
_PATIENCE_SECONDS = 2.0
_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_BETWEEN_QUESTIONS = 10.0

# Airflow 3.3.2 cannot end a run in one process that has a deadline alert.
_ONE_PROCESS = {
    "AIRFLOW__LOGGING__LOG_FORMAT": "%(asctime)s %(levelname)s %(name)s %(message)s",
    DEADLINE_VARIABLE: NO_DEADLINE,
}


def run_once(dag_id: str, conf: Mapping[str, Any], report: Report, page: str = "") -> int:
    """Run a DAG to its end, in the installation that the environment names, and print the result.

    The live stack runs it if it is up, otherwise one process of Airflow does.

    Args:
        dag_id: The DAG.
        conf: The run's parameters.
        report: Prints the result of a run that succeeded.
        page: Path of the page that shows it, below that of the forecasts.

    Raises:
        LocalError: The run failed or could not start; the message names the reason and the log.
    """
    home, out = Home.from_environment(), sys.stdout
    if conf.get("approval_hours") is not None and not is_stack_up(home):
        raise LocalError(
            f"approval_hours: received {conf['approval_hours']}, but without the live Airflow "
            "nobody can be asked; start it with `make up` first, or leave the parameter out"
        )
    if conf["source"] == "csv":
        print_price_files(conf, out)
    began = time.monotonic()
    stages: dict[str, float] = {}
    refusal = "another `make run` or `make up` is just at work; try again when it is done"
    with (
        hold_lock(home.lock(RUN_PURPOSE), refusal),
        start_postgres(home.postgres_directory) as postgres,
        closing(ProgressPrinter(out, interactive=out.isatty())) as printer,
    ):
        prepare_market(postgres)
        if is_stack_up(home):
            run, log_path = _run_on_stack(home, dag_id, conf, printer, out)
        else:
            end_processes(home.mark(RUN_PURPOSE), patience=_PATIENCE_SECONDS)
            environment = airflow_environment(home, postgres)
            prepare_airflow(home, postgres, environment)
            stages["preparation"] = time.monotonic() - began
            run, log_path = _run_in_one_process(
                home, environment, dag_id, conf, printer, stages, out
            )
        failure, steps = run.failure(), list[NextStep]()
        if failure is None and run.run_id is not None:
            market = create_database_engine(postgres.url(MARKET_DATABASE, login=PIPELINE_LOGIN))
            steps = report(market, run.run_id, out)
            market.dispose()
        _print_times(stages, run, time.monotonic() - began, out)
        if steps:
            steps = [_page_step(home, page), *steps, NextStep("its log", str(log_path))]
            print_next_steps(steps, out)
    if failure is not None:
        raise LocalError(f"{failure} (log: {log_path})")
    return 0


def _page_step(home: Home, page: str) -> NextStep:
    if is_stack_up(home):
        return NextStep("on a page", read_stack(home).pages_address + page)
    stack = Stack(os.getpid(), DEFAULT_PORT)
    return NextStep("on a page", f"make up, then {stack.pages_address}{page}")


def _run_in_one_process(
    home: Home,
    environment: Mapping[str, str],
    dag_id: str,
    conf: Mapping[str, Any],
    printer: ProgressPrinter,
    stages: dict[str, float],
    out: TextIO,
) -> tuple[FollowedRun, Path]:
    home.logs_directory.mkdir(parents=True, exist_ok=True)
    log_path = home.logs_directory / f"run_{datetime.now(UTC):%Y%m%dT%H%M%S_%f}.log"
    print(f"Log: {log_path}", file=out, flush=True)
    began = datetime.now(UTC)
    run = FollowedRun()
    with _airflow_process(home, environment, ["run", dag_id, json.dumps(conf)], log_path) as (
        process,
        events,
    ):
        while True:
            alive = process.poll() is None
            for event in events.poll():
                if event.tasks and event.tasks[0].started_at and run.run_id is None:
                    stages["Airflow's start"] = (event.tasks[0].started_at - began).total_seconds()
                run.add(event)
                printer.show(event, run)
            if not alive:
                break
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    if run.run_id is None:
        reason = run.error or last_line(log_path)
        raise LocalError(f"{dag_id} did not start: {reason} (log: {log_path})")
    if run.state is None:
        raise LocalError(
            f"Airflow's process ended with status {process.returncode} in the middle of the run "
            f"(log: {log_path})"
        )
    return run, log_path


@contextmanager
def _airflow_process(
    home: Home, environment: Mapping[str, str], arguments: list[str], log_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], EventReader]]:
    """Start Airflow's process of a run; nothing of it is left at the end of the block."""
    events_path = home.events_file(RUN_PURPOSE)
    events_path.unlink(missing_ok=True)
    events = EventReader(events_path)
    environment = {**environment, **_ONE_PROCESS, EVENTS_VARIABLE: str(events_path)}
    try:
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "roi_local.airflow_process", *arguments],
                env=mark(environment, home.mark(RUN_PURPOSE)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        yield process, events
        process.wait()
    finally:
        end_processes(home.mark(RUN_PURPOSE), patience=_PATIENCE_SECONDS)


def _run_on_stack(
    home: Home, dag_id: str, conf: Mapping[str, Any], printer: ProgressPrinter, out: TextIO
) -> tuple[FollowedRun, Path]:
    stack = read_stack(home)
    print(f"The live stack at {stack.address} carries the run out.", file=out, flush=True)
    events = EventReader(home.events_file(UP_PURPOSE))
    run_id = stack.trigger(home, dag_id, conf)
    log_path = home.task_logs_directory / f"dag_id={dag_id}" / f"run_id={run_id}"
    print(f"Run {run_id}, logs: {log_path}", file=out, flush=True)
    run = FollowedRun(run_id)
    asked = time.monotonic()
    while run.state is None:
        alive = is_stack_up(home)
        for event in events.poll():
            if event.run_id == run_id:
                run.add(event)
                printer.show(event, run)
        if not alive and run.state is None:
            raise LocalError(f"the live stack was stopped before run {run_id} had ended")
        if time.monotonic() - asked > _SECONDS_BETWEEN_QUESTIONS:
            asked = time.monotonic()
            if not stack.knows_run(home, dag_id, run_id):
                raise LocalError(f"run {run_id} was deleted before it had ended")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return run, log_path


def _print_times(stages: Mapping[str, float], run: FollowedRun, total: float, out: TextIO) -> None:
    tasks = {task.task_id: task.seconds for task in run.tasks if task.seconds is not None}
    print("\nTime per stage, in seconds:", file=out)
    lines = [
        (name, f"{seconds:.1f}")
        for name, seconds in {**stages, **tasks, "everything": total}.items()
    ]
    print_table(lines, out)
    out.flush()


if __name__ == "__main__":
    run_command("run", lambda: run_once(DAILY_DAG, run_parameters(os.environ), print_report))
