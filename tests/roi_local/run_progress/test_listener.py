"""What Airflow tells its listener, as `make run` reads it back."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import TaskInstanceState

from roi_local.run_progress.events import Event, EventReader, Step, TaskState, write_event
from roi_local.run_progress.listener import RunListener

BEGAN, ENDED = (datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (1, 2))
LIBRARY = logging.getLogger("roi_forecast")


def task_instance(**more: Any) -> Any:
    """What Airflow's task process hands to a listener, as far as ours uses it."""
    known = {"run_id": "run", "dag_id": "dag", "task_id": "train_member", "map_index": -1}
    known |= {"start_date": BEGAN, "end_date": None, "state": None}
    return SimpleNamespace(**{**known, **more})


@pytest.fixture
def events(tmp_path: Path) -> EventReader:
    return EventReader(tmp_path / "events.jsonl")


@pytest.fixture
def listener(events: EventReader, tmp_path: Path) -> Iterator[RunListener]:
    handlers = list(LIBRARY.handlers)
    yield RunListener(tmp_path / "events.jsonl")
    LIBRARY.handlers = handlers


def test_a_task_reports_its_start_its_steps_and_its_end(
    events: EventReader, listener: RunListener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("roi_forecast.network.training")

    listener.on_task_instance_running(task_instance())
    logger.info("rows: %d", 3)
    logger.info("fold 1", extra={"step": None})
    logger.info("epoch %d/%d", 1, 2, extra={"step": (1, 2)})
    listener.on_task_instance_success(task_instance(end_date=ENDED))

    state = TaskState(task_id="train_member", state="running", started_at=BEGAN)
    ended = state.model_copy(update={"state": "success", "ended_at": ENDED})
    step = Step(task_id="train_member", message="epoch 1/2", done=1, total=2)
    assert list(events.poll()) == [
        Event(run_id="run", tasks=(state,)),
        Event(run_id="run", step=Step(task_id="train_member", message="fold 1")),
        Event(run_id="run", step=step),
        Event(run_id="run", tasks=(ended,)),
    ]
    assert list(events.poll()) == []


def test_a_mapped_task_reports_how_many_instances_it_has(
    events: EventReader, listener: RunListener
) -> None:
    listener.on_task_instance_running(
        task_instance(map_index=2, get_ti_count=lambda dag_id, task_ids, run_ids: 7)
    )

    (event,) = events.poll()
    assert (event.tasks[0].map_index, event.tasks[0].instances) == (2, 7)


@pytest.mark.parametrize(
    ("state", "reported"),
    [
        (TaskInstanceState.UP_FOR_RETRY, "up_for_retry"),
        (TaskInstanceState.FAILED, "failed"),
        (None, "failed"),
    ],
)
def test_a_failed_task_reports_the_whole_error(
    events: EventReader,
    listener: RunListener,
    state: TaskInstanceState | None,
    reported: str,
) -> None:
    error = ValueError("a&b\nc" * 500)

    listener.on_task_instance_failed(task_instance(state=state), error=error)

    (event,) = events.poll()
    assert event.tasks[0].state == reported
    assert event.tasks[0].error == f"ValueError: {error}"


def test_the_end_of_a_run_reports_every_task(
    events: EventReader, listener: RunListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.dagrun import DagRun

    skipped = task_instance(task_id="forecast", state="skipped", start_date=ENDED)
    failed = task_instance(state=TaskInstanceState.FAILED, end_date=ENDED)
    unseen = task_instance(task_id="monitor", start_date=None)
    run = DagRun(run_id="run")
    monkeypatch.setattr(DagRun, "get_task_instances", lambda run: [unseen, skipped, failed])

    listener.on_dag_run_failed(run)

    (event,) = events.poll()
    assert event.state == "failed"
    assert [(task.task_id, task.state) for task in event.tasks] == [
        ("train_member", "failed"),
        ("forecast", "skipped"),
        ("monitor", None),
    ]


def _write_many(path: Path, name: str) -> None:
    for _ in range(500):
        write_event(path, Event(run_id=name * 300))


def test_processes_that_write_at_once_leave_whole_lines(
    events: EventReader, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_write_many, args=(tmp_path / "events.jsonl", name)) for name in "ab"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    written = [event.run_id for event in events.poll()]
    assert sorted(written) == ["a" * 300] * 500 + ["b" * 300] * 500


def test_a_line_that_is_still_written_is_left_for_the_next_look(
    events: EventReader, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    line = Event(run_id="run").model_dump_json() + "\n"

    path.write_text(line + line[:10])
    assert len(list(events.poll())) == 1
    path.write_text(line + line)
    assert len(list(events.poll())) == 1
