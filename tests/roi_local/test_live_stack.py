"""The live Airflow: started, used over its REST API, stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from airflow_runs import metadata_engine, read_run
from installation import LiveStack, remaining_processes, run_command
from roi_local.commands.run import DAILY_DAG
from roi_local.environment import AIRFLOW_DATABASE
from roi_local.errors import LocalError
from roi_local.postgres.server import start_postgres
from roi_local.run_parameters import CONF_VARIABLE
from roi_local.stack import Stack, is_stack_up

pytestmark = [pytest.mark.live, pytest.mark.slow]

HOSTILE = 'it\'s & $HOME "quoted" `id`'


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_triggered_run_succeeds_and_its_conf_arrives_unchanged(live_stack: LiveStack) -> None:
    stack = Stack(live_stack.process.pid, live_stack.port)

    run_id = stack.trigger(live_stack.home, DAILY_DAG, {"gate_override_reason": HOSTILE})

    with start_postgres(live_stack.home.postgres_directory) as postgres:
        engine = metadata_engine(postgres.url(AIRFLOW_DATABASE))
        wait_until(lambda: read_run(engine, DAILY_DAG, run_id).is_finished)
        run = read_run(engine, DAILY_DAG, run_id)
        engine.dispose()
    assert run.state == "success"
    assert [(task.task_id, task.state) for task in run.tasks] == [
        ("resolve_run", "success"),
        *[("extract_prices", "success")] * 3,
        ("train_model", "success"),
    ]
    logs = live_stack.home.task_logs_directory / f"dag_id={DAILY_DAG}" / f"run_id={run_id}"
    lines = [json.loads(line) for path in logs.rglob("*.log") for line in path.open()]
    assert f"reason: {HOSTILE}" in [line["event"] for line in lines]


def test_make_run_follows_the_live_stack_and_reports_its_failure(live_stack: LiveStack) -> None:
    conf = {"seed": 7, "gate_override_reason": HOSTILE}

    result = run_command(live_stack.home, "run", **{CONF_VARIABLE: json.dumps(conf)})

    assert result.returncode == 1
    assert "The live stack at" in result.stdout
    assert "extract_prices   3 of 3 done" in result.stdout
    assert "epoch 2/2: loss 0.5" in result.stdout
    reason = f"make run: train_model failed: ValueError: seed 7 fails {HOSTILE} (log: "
    assert result.stderr.startswith(reason)
    assert result.stderr.count("\n") == 1


def test_refused_parameter_is_one_line_with_the_rule(live_stack: LiveStack) -> None:
    stack = Stack(live_stack.process.pid, live_stack.port)

    with pytest.raises(LocalError, match="seed: 11 is greater than the maximum of 10"):
        stack.trigger(live_stack.home, DAILY_DAG, {"seed": 11})


def test_second_stack_and_clean_are_refused_while_the_stack_is_up(live_stack: LiveStack) -> None:
    second = run_command(live_stack.home, "up")
    clean = run_command(live_stack.home, "clean", ROI_YES="1")

    assert second.returncode == clean.returncode == 1
    assert second.stderr == "make up: the live stack is up already; `make down` stops it\n"
    assert clean.stderr == "make clean: the live stack is up; stop it with `make down` first\n"


def test_stack_leaves_no_process_when_it_is_terminated(live_stack: LiveStack) -> None:
    """The last test of this file, since it stops the stack."""
    assert len(remaining_processes(live_stack.home)) > 4

    assert live_stack.stop() == 0

    assert remaining_processes(live_stack.home) == []
    assert not is_stack_up(live_stack.home)
