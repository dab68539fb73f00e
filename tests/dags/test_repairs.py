"""Repairs by hand in the live Airflow: clear, mark, repeat, on runs in every state."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Table, select

from daily_prices import save_prices
from live_stack import SMALL, SharedStack, task_states
from roi_forecast.database.tables import (
    datasets,
    evaluations,
    gate_decisions,
    model_versions,
    predictions,
    promotions,
    runs,
)

pytestmark = [pytest.mark.live, pytest.mark.slow]

DAILY = "daily_roi_forecast"
PROMOTED = {"gate_override_reason": "a live test promotes whatever was trained"}
PATIENCE = 600.0


class Repairs:
    """What a person clicks, as the requests that the UI sends; each has to be answered by 200."""

    def __init__(self, stack: SharedStack, run_id: str) -> None:
        self.stack = stack
        self.run_id = run_id
        self._run = f"/api/v2/dags/{DAILY}/dagRuns/{quote(run_id)}"

    def clear_run(self, *, only_failed: bool = False, dry_run: bool = False) -> Any:
        body = {"dry_run": dry_run, "only_failed": only_failed}
        return self._send("POST", f"{self._run}/clear", body)

    def clear_task(
        self, task_id: str, *, downstream: bool = False, dry_run: bool = False
    ) -> list[str]:
        body = {
            "dag_run_id": self.run_id,
            "task_ids": [task_id],
            "include_downstream": downstream,
            "only_failed": False,
            "dry_run": dry_run,
        }
        answer = self._send("POST", f"/api/v2/dags/{DAILY}/clearTaskInstances", body)
        return [instance["task_id"] for instance in answer["task_instances"]]

    def mark_run(self, state: str) -> None:
        self._send("PATCH", self._run, {"state": state})

    def mark_task(self, task_id: str, state: str) -> None:
        path = f"{self._run}/taskInstances/{task_id}"
        self._send("PATCH", f"{path}/dry_run", {"new_state": state})
        self._send("PATCH", path, {"new_state": state})

    def ends_in(self, state: str) -> dict[str, set[str | None]]:
        run = self.stack.wait_for_end(DAILY, self.run_id, PATIENCE)
        assert run.state == state, run
        return task_states(run)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        status, answer = self.stack.request(method, path, body)
        assert status == 200, (method, path, body, status, answer)
        return answer


Rows = dict[str, list[dict[str, Any]]]


def stored(stack: SharedStack, model_name: str) -> Rows:
    """Return every row that runs of a model name left, by table."""
    of_name = select(model_versions.c.version_id).where(model_versions.c.model_name == model_name)
    run_ids = select(runs.c.run_id).where(runs.c.model_name == model_name)
    dataset_ids = select(model_versions.c.dataset_id).where(
        model_versions.c.model_name == model_name
    )
    asked = [
        (model_versions, model_versions.c.model_name == model_name),
        (predictions, predictions.c.version_id.in_(of_name)),
        (evaluations, evaluations.c.run_id.in_(run_ids)),
        (gate_decisions, gate_decisions.c.run_id.in_(run_ids)),
        (promotions, promotions.c.model_name == model_name),
        (datasets, datasets.c.dataset_id.in_(dataset_ids)),
    ]
    with stack.market.connect() as connection:
        return {
            table.name: [
                _without_moments(table, dict(row))
                for row in connection.execute(select(table).where(condition)).mappings()
            ]
            for table, condition in asked
        }


def changes(before: Rows, after: Rows) -> list[tuple[str, str, Any]]:
    """Return every row that was added or removed."""
    found = []
    for name, rows in before.items():
        found += [(name, "removed", row) for row in rows if row not in after[name]]
        found += [(name, "added", row) for row in after[name] if row not in rows]
        if len(rows) != len(after[name]):
            found.append((name, "rows", (len(rows), len(after[name]))))
    return found


def _without_moments(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says when something was done again, and how long it took."""
    renewed = {"id", "decided_at"} if table in (evaluations, gate_decisions) else set()
    if table is model_versions and row["state"] == "candidate":
        # It was trained again, so it took another time.
        renewed = {"training_record", "checksum"}
    if table is model_versions:
        row = {**row, "metrics": {**row["metrics"], "evaluation_seconds": None}}
    return {name: value for name, value in row.items() if name not in renewed}


@pytest.fixture(scope="module")
def waiting(shared_stack: SharedStack) -> Repairs:
    """A run that goes on until a person answers."""
    conf = {**SMALL, **PROMOTED, "approval_hours": 12, "min_sessions_between_promotions": 0}
    return Repairs(shared_stack, shared_stack.trigger(DAILY, **conf, model_name="waiting"))


@pytest.fixture(scope="module")
def finished(shared_stack: SharedStack) -> Repairs:
    """A run that succeeded."""
    return Repairs(
        shared_stack, shared_stack.trigger(DAILY, **SMALL, **PROMOTED, model_name="repaired")
    )


@pytest.fixture(scope="module")
def csv_folder(shared_stack: SharedStack) -> Path:
    """A folder in which one of the two assets has its prices."""
    folder = shared_stack.home.data_directory / "csv" / "repairs"
    folder.mkdir(parents=True)
    save_prices(folder, "TCS.NS")
    return folder


@pytest.fixture(scope="module")
def failed(shared_stack: SharedStack, csv_folder: Path) -> Repairs:
    """A run that misses the quorum."""
    conf = {**SMALL, **PROMOTED, "source": "csv", "csv_path": str(csv_folder), "quorum": 1.0}
    return Repairs(shared_stack, shared_stack.trigger(DAILY, **conf, model_name="mended"))


# The runs of later tests go on while the first one looks at its own.
@pytest.mark.usefixtures("waiting", "finished")
def test_a_failed_run_is_cleared_until_what_it_lacked_is_there(
    shared_stack: SharedStack, failed: Repairs, csv_folder: Path
) -> None:
    assert failed.ends_in("failed")["check_prices"] == {"failed"}
    again = failed.clear_run(only_failed=True, dry_run=True)["task_instances"]
    assert {instance["task_id"] for instance in again} >= {"extract_prices", "check_prices"}
    failed.clear_run(only_failed=True)
    assert failed.ends_in("failed")["check_prices"] == {"failed"}
    assert failed.clear_task("check_prices", dry_run=True) == ["check_prices"]
    failed.clear_task("check_prices", downstream=True)
    failed.ends_in("failed")
    save_prices(csv_folder, "GC=F")
    failed.clear_run(only_failed=True)
    states = failed.ends_in("success")
    assert states["forecast"] == states["promote_model"] == {"success"}
    assert {row["symbol"] for row in stored(shared_stack, "mended")["predictions"]} == {
        "TCS.NS",
        "GC=F",
    }


def test_a_finished_run_cleared_as_a_whole_leaves_the_same_rows(
    shared_stack: SharedStack, finished: Repairs
) -> None:
    finished.ends_in("success")
    before = stored(shared_stack, "repaired")
    assert all(before.values()), before
    assert finished.clear_run(dry_run=True)["total_entries"] > 10
    finished.clear_run()
    finished.ends_in("success")
    assert changes(before, stored(shared_stack, "repaired")) == []


@pytest.mark.parametrize("task_id", ["promote_model", "forecast"])
def test_a_task_cleared_after_success_leaves_the_same_rows(
    shared_stack: SharedStack, finished: Repairs, task_id: str
) -> None:
    finished.ends_in("success")
    before = stored(shared_stack, "repaired")
    assert "monitor_champion" in finished.clear_task(task_id, downstream=True, dry_run=True)
    finished.clear_task(task_id, downstream=True)
    finished.ends_in("success")
    finished.clear_task(task_id)
    assert finished.ends_in("success")[task_id] == {"success"}
    assert changes(before, stored(shared_stack, "repaired")) == []


def test_a_finished_run_takes_every_mark(finished: Repairs) -> None:
    finished.ends_in("success")
    finished.mark_task("champion_below_limit", "failed")
    assert finished.ends_in("success")["champion_below_limit"] == {"failed"}
    finished.mark_task("champion_below_limit", "success")
    assert finished.ends_in("success")["champion_below_limit"] == {"success"}
    finished.mark_run("failed")
    finished.ends_in("failed")
    finished.mark_run("success")
    finished.ends_in("success")


def test_a_running_run_takes_every_repair(shared_stack: SharedStack, waiting: Repairs) -> None:
    def wait_for_question() -> None:
        shared_stack.wait_for_state(
            DAILY, waiting.run_id, "approve_promotion", "awaiting_input", PATIENCE
        )

    wait_for_question()
    before = stored(shared_stack, "waiting")
    assert "evaluate_model" in waiting.clear_task("train_member", downstream=True, dry_run=True)
    waiting.clear_task("train_member", downstream=True)
    wait_for_question()
    waiting.mark_task("forecast_meanwhile", "success")
    waiting.clear_run(dry_run=True)
    waiting.clear_run()
    wait_for_question()
    assert changes(before, stored(shared_stack, "waiting")) == []

    waiting.mark_run("failed")
    assert waiting.ends_in("failed")["approve_promotion"] == {"failed"}
    waiting.clear_run(only_failed=True)
    wait_for_question()
    # Tasks after the failed one were skipped, which that repair leaves as it is.
    waiting.clear_task("approve_promotion", downstream=True)
    wait_for_question()
    waiting.mark_task("approve_promotion", "failed")
    assert waiting.ends_in("failed")["forecast"] == {"upstream_failed"}
    waiting.clear_task("approve_promotion", downstream=True)
    wait_for_question()
    waiting.mark_run("success")
    assert waiting.ends_in("success")["approve_promotion"] == {"success"}
    waiting.mark_run("failed")
    waiting.ends_in("failed")
    waiting.mark_run("success")
    waiting.ends_in("success")
    assert changes(before, stored(shared_stack, "waiting")) == []


def test_airflow_s_own_deadline_still_cannot_be_cleared(shared_stack: SharedStack) -> None:
    """Once this fails Airflow has mended #70368: `FirstQueued` and its plugin can go."""
    run_id = shared_stack.trigger("airflow_deadline")
    assert shared_stack.wait_for_end("airflow_deadline", run_id).state == "failed"
    status, _ = shared_stack.request(
        "POST",
        f"/api/v2/dags/airflow_deadline/dagRuns/{quote(run_id)}/clear",
        {"dry_run": False, "only_failed": False},
    )
    assert status == 500
