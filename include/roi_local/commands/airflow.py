"""`make airflow`: Airflow's own command line on this installation."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from sqlalchemy import column, select, table

from roi_airflow.refusals import KINDS, refusal
from roi_forecast.database.engine import create_database_engine
from roi_forecast.quoting import quoted
from roi_forecast.settings import DEADLINE_VARIABLE, NO_DEADLINE, Settings
from roi_local.command import Interrupted, run_command
from roi_local.environment import AIRFLOW_DATABASE, Home, airflow_environment
from roi_local.errors import LocalError
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.programs import last_line
from roi_local.postgres.server import EmbeddedPostgres, start_postgres
from roi_local.stack import DEFAULT_PORT, is_stack_up, read_stack

ARGUMENTS_VARIABLE = "ROI_ARGS"

_EXAMPLE = "for example ARGS='dags list'; ARGS=--help lists all"
_PATIENCE_SECONDS = 10
_STARTED_BY_UP = "`make up` starts it, with all that belongs to it"
_NO_USERS = (
    "a local installation has one user, admin, whose password `make up` prints; "
    "see docs/operations.md for an installation with several"
)
_REFUSED = {
    **dict.fromkeys(("scheduler", "api-server", "dag-processor", "triggerer"), _STARTED_BY_UP),
    **dict.fromkeys(("standalone", "celery"), _STARTED_BY_UP),
    **dict.fromkeys(("users", "roles", "sync-perm", "permissions-cleanup", "fab-db"), _NO_USERS),
}
_WITH_CONF = {
    ("dags", "trigger"): ("-c", "--conf"),
    ("dags", "test"): ("-c", "--conf"),
    ("backfill", "create"): ("--dag-run-conf",),
}
"""The options that hold the parameters of runs, by command."""

# Airflow logs warnings of Python to standard output, among the answers.
_QUIET = {"PYTHONWARNINGS": "ignore"}


def parse_arguments(text: str) -> list[str]:
    """Split the value of ARGS into words as a shell does, without expanding anything.

    Raises:
        LocalError: There is no word, a quotation has no end, or the command makes no sense here.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise LocalError(f"ARGS: received {quoted(text)} ({error}); {_EXAMPLE}") from None
    if not words:
        raise LocalError(f"ARGS: received {quoted(text)}; name a command of Airflow, {_EXAMPLE}")
    if words[0] in _REFUSED:
        raise LocalError(f"ARGS: received {quoted(text)}; {_REFUSED[words[0]]}")
    return words


def refuse_wrong_parameters(words: Sequence[str], settings: Settings | None) -> None:
    """Refuse the parameters of runs as the trigger form does; what is no such command passes.

    Args:
        words: The command and its arguments.
        settings: What tasks find in their environment; None: it is not known here.

    Raises:
        LocalError: A run with these parameters would be refused as soon as it starts.
    """
    options = _WITH_CONF.get((words[0], words[1]) if len(words) > 1 else ("", ""), ())
    split = [part for word in words for part in _option_and_value(word)]
    given = [value for option, value in pairwise(split) if option in options]
    dag_ids = [word for word in split if word in KINDS]
    if not given or not dag_ids:
        return
    try:
        conf = json.loads(given[-1])
    except ValueError as error:
        raise LocalError(f"ARGS: {quoted(given[-1])} is not JSON ({error})") from None
    if not isinstance(conf, dict):
        raise LocalError(f"ARGS: {quoted(given[-1])} has to be a JSON object")
    reason = refusal(dag_ids[0], conf, now=datetime.now(UTC), settings=settings)
    if reason is not None:
        raise LocalError(reason)


def _option_and_value(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--") else [word]


def run_airflow(home: Home, words: list[str]) -> int:
    """Run a command of Airflow's on the installation, whether the live stack is up or not.

    Args:
        home: The installation; its PostgreSQL is started if it does not run, and stopped again.
        words: The command and its arguments.

    Returns:
        The command's exit status; 128 and the number of the signal that ended it.

    Raises:
        LocalError: Airflow's database could not be prepared, or runs would be refused.
    """
    if (words[0], *words[1:2]) in _WITH_CONF:
        # The live stack, which would carry runs out, has an environment of its own.
        refuse_wrong_parameters(words, None if is_stack_up(home) else Settings.of_prices())
    port = read_stack(home).port if is_stack_up(home) else DEFAULT_PORT
    with start_postgres(home.postgres_directory) as postgres:
        environment = airflow_environment(home, postgres, port=port) | _QUIET
        if words[:2] == ["dags", "test"]:
            # Airflow 3.3.2 cannot end such a run that has a deadline alert.
            environment[DEADLINE_VARIABLE] = NO_DEADLINE
        prepare_market(postgres)
        prepare_airflow(home, postgres, environment)
        _register_dags(home, postgres, environment)
        status = _run([sys.executable, "-m", "airflow", *words], environment)
    return status if status >= 0 else 128 - status


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    process = subprocess.Popen(command, env=dict(environment))
    try:
        return process.wait()
    except Interrupted:
        # The terminal has sent Ctrl-C to both; other signals reach this process alone.
        process.terminate()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _register_dags(home: Home, postgres: EmbeddedPostgres, environment: Mapping[str, str]) -> None:
    """Store DAGs and pools in Airflow's database where no `make run` or `make up` has yet."""
    engine = create_database_engine(postgres.url(AIRFLOW_DATABASE))
    with engine.connect() as connection:
        known = connection.scalar(select(column("dag_id")).select_from(table("dag")).limit(1))
    engine.dispose()
    if known is not None:
        return
    log_path = home.logs_directory / "airflow_registration.log"
    with log_path.open("wb") as log:
        answer = subprocess.run(
            [sys.executable, "-m", "roi_local.airflow_process", "register"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if answer.returncode != 0:
        raise LocalError(f"the DAGs could not be read: {last_line(log_path)} (log: {log_path})")


if __name__ == "__main__":
    run_command(
        "airflow",
        lambda: run_airflow(
            Home.from_environment(), parse_arguments(os.environ.get(ARGUMENTS_VARIABLE, ""))
        ),
    )
