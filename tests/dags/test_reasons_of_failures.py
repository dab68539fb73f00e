"""Why a run failed, in the task's log and in `roi.run_history`, for runs of the live Airflow."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from airflow_runs import RunState
from daily_prices import save_prices
from live_stack import SMALL, SharedStack
from roi_forecast.errors import ConfigError
from roi_forecast.reading.runs import Run
from roi_local.run_parameters import CONF_VARIABLE, run_parameters

pytestmark = [pytest.mark.live, pytest.mark.slow]

DAILY = "daily_roi_forecast"
PATIENCE = 600.0
FOLDER_IN_THE_WAY = "in-the-way"


def log_of(stack: SharedStack, run_id: str, task_id: str, attempt: int) -> list[dict[str, Any]]:
    folder = Path(stack.home.task_logs_directory, f"dag_id={DAILY}", f"run_id={run_id}")
    (path,) = folder.glob(f"task_id={task_id}/**/attempt={attempt}.log")
    return [json.loads(line) for line in path.read_text().splitlines()]


def history(stack: SharedStack, run_id: str) -> Any:
    with stack.market.connect() as connection:
        found = connection.execute(select(Run.view).where(Run.view.c.run_id == run_id))
        return found.one_or_none()


def wait_for_history(
    stack: SharedStack, run_id: str, condition: Callable[[Any], bool], seconds: float = PATIENCE
) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = history(stack, run_id)
        if found is not None and condition(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def assert_last_line_is_the_reason(lines: list[dict[str, Any]], reason: str) -> None:
    assert lines[-1]["event"] == reason
    assert "error_detail" not in lines[-1]
    assert lines[-1]["level"] == "error"


@pytest.fixture(scope="module")
def refused(shared_stack: SharedStack) -> str:
    """A run that did not come through a door which would have refused it."""
    assets = shared_stack.request("GET", "/api/v2/assets?name_pattern=roi_forecasts")[1]["assets"]
    (asset_id,) = (asset["id"] for asset in assets if asset["name"] == "roi_forecasts")
    body = {"conf": {**SMALL, "model_name": "refused", "epoch": 3}}
    status, run = shared_stack.request("POST", f"/api/v2/assets/{asset_id}/materialize", body)
    assert status == 200, run
    return str(run["dag_run_id"])


@pytest.fixture(scope="module")
def without_quorum(shared_stack: SharedStack) -> str:
    folder = shared_stack.home.data_directory / "csv" / "no-quorum"
    folder.mkdir(parents=True)
    save_prices(folder, "TCS.NS")
    conf = {**SMALL, "source": "csv", "csv_path": str(folder), "model_name": "no-quorum"}
    return shared_stack.trigger(DAILY, **conf)


@pytest.fixture(scope="module")
def hindered(shared_stack: SharedStack) -> str:
    """A run that meets what nobody foresaw: a file where the folder of its models would be."""
    models = shared_stack.home.data_directory / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / FOLDER_IN_THE_WAY).write_text("a file")
    return shared_stack.trigger(DAILY, **SMALL, model_name=FOLDER_IN_THE_WAY)


# The runs of later tests go on while the first one looks at its own.
@pytest.mark.usefixtures("without_quorum", "hindered")
def test_a_refused_run_is_on_record_with_the_whole_reason(
    shared_stack: SharedStack, refused: str
) -> None:
    run: RunState = shared_stack.wait_for_end(DAILY, refused, PATIENCE)
    assert run.state == "failed"
    found = history(shared_stack, refused)
    assert (found.state, found.failed_stage) == ("failed", "resolve_run")
    assert (found.model_name, found.as_of_date) == ("refused", None)
    conf = json.dumps({**SMALL, "model_name": "refused", "epoch": 3})
    with pytest.raises(ConfigError) as at_the_terminal:
        run_parameters({CONF_VARIABLE: conf})
    assert found.reason == str(at_the_terminal.value)
    assert "did you mean epochs?" in found.reason
    lines = log_of(shared_stack, refused, "resolve_run", 1)
    assert_last_line_is_the_reason(lines, found.reason)
    chains = [line["error_detail"] for line in lines if "error_detail" in line]
    assert [len(chain) for chain in chains] == [1]


def test_a_missed_quorum_is_the_last_line_and_in_the_history(
    shared_stack: SharedStack, without_quorum: str
) -> None:
    assert shared_stack.wait_for_end(DAILY, without_quorum, PATIENCE).state == "failed"
    found = history(shared_stack, without_quorum)
    assert (found.state, found.failed_stage) == ("failed", "check_prices")
    assert "quorum" in found.reason
    assert found.ended_at is not None
    lines = log_of(shared_stack, without_quorum, "check_prices", 1)
    assert_last_line_is_the_reason(lines, found.reason)


def test_an_error_nobody_foresaw_is_tried_again_and_then_the_last_line_names_its_kind(
    shared_stack: SharedStack, hindered: str
) -> None:
    waits = wait_for_history(shared_stack, hindered, lambda row: "failed" in (row.reason or ""))
    assert waits.state == "waiting"
    assert ": attempt 1 of " in waits.reason
    assert " failed, the next starts at about " in waits.reason
    assert shared_stack.wait_for_end(DAILY, hindered, PATIENCE).state == "failed"
    found = history(shared_stack, hindered)
    assert found.state == "failed"
    assert found.reason.startswith(("NotADirectoryError: ", "FileExistsError: "))
    assert FOLDER_IN_THE_WAY in found.reason
    attempts = shared_stack.read_run(DAILY, hindered).tasks
    assert any((task.task_id, task.state) == (found.failed_stage, "failed") for task in attempts)
    with shared_stack.market.connect() as connection:
        numbers = text(
            "SELECT attempt, state, reason FROM roi.stage_history "
            "WHERE run_id = :run_id AND stage = :stage ORDER BY attempt"
        )
        asked = {"run_id": hindered, "stage": found.failed_stage}
        rows = connection.execute(numbers, asked).all()
    assert [row.state for row in rows] == ["retrying"] * (len(rows) - 1) + ["failed"]
    for row in rows:
        lines = log_of(shared_stack, hindered, found.failed_stage, row.attempt)
        assert lines[-1]["event"].endswith(found.reason)
        assert any("error_detail" in line for line in lines)
    assert_last_line_is_the_reason(lines, found.reason)


def test_a_killed_attempt_is_told_of_and_the_run_ends_by_itself(
    shared_stack: SharedStack,
) -> None:
    # It is killed while it loads TensorFlow.
    conf = {**SMALL, "epochs": 20, "early_stopping_patience": 20}
    killed = shared_stack.trigger(DAILY, **conf, model_name="killed")
    wait_for_history(
        shared_stack, killed, lambda row: (row.state, row.reason) == ("running", "train_member")
    )
    with shared_stack.metadata.connect() as connection:
        process_id = connection.scalar(
            text("SELECT pid FROM task_instance WHERE run_id = :run_id AND task_id = :task_id"),
            {"run_id": killed, "task_id": "train_member"},
        )
    assert isinstance(process_id, int)
    os.kill(process_id, signal.SIGKILL)
    dead = wait_for_history(shared_stack, killed, lambda row: row.state != "running")
    assert (dead.state, dead.failed_stage) == ("failed", "train_member")
    assert dead.reason.startswith("its process ended unexpectedly (killed, ")
    assert shared_stack.wait_for_end(DAILY, killed, PATIENCE).state == "success"
    found = history(shared_stack, killed)
    assert (found.state, found.failed_stage) == ("done", None)
    assert found.ended_at > found.started_at
    verdicts = (
        "the candidate passed the gate: ",
        "the candidate was rejected, the champion continues",
    )
    assert found.reason.startswith(verdicts)


def test_a_run_marked_by_a_person_is_settled_by_the_next(shared_stack: SharedStack) -> None:
    conf = {**SMALL, "gate_override_reason": "a live test", "approval_hours": 12}
    run_id = shared_stack.trigger(DAILY, **conf, model_name="marked")
    waits = wait_for_history(
        shared_stack, run_id, lambda row: "a person's answer" in (row.reason or "")
    )
    assert waits.state == "waiting"
    shared_stack.wait_for_state(DAILY, run_id, "approve_promotion", "awaiting_input", PATIENCE)
    path = f"/api/v2/dags/{DAILY}/dagRuns/{run_id}"
    assert shared_stack.request("PATCH", path, {"state": "failed"})[0] == 200
    shared_stack.trigger(DAILY, **SMALL, model_name="marked", tuned_study="unheard")
    # What forecasts meanwhile may still run when the run is marked.
    found = wait_for_history(
        shared_stack, run_id, lambda row: row.state not in ("waiting", "running")
    )
    assert (found.state, found.reason) == (
        "failed",
        "it was marked as failed or deleted from outside",
    )
