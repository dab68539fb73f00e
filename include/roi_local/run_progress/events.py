"""The events of a run: Airflow's processes append one JSON line each, `make run` reads them.

This module loads without Airflow, whose import takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

EVENTS_VARIABLE = "ROI_RUN_EVENTS"
"""Names the file that Airflow's processes append events to; without it they write none."""


class TaskState(BaseModel, frozen=True):
    """One task instance.

    Attributes:
        task_id: The task.
        map_index: Position among the instances of a mapped task, or -1.
        state: Airflow's word; None before the task was scheduled.
        instances: How many instances the task has.
        started_at: Start of the latest attempt.
        ended_at: End of the latest attempt.
        error: Type and message of the exception that ended it.
    """

    task_id: str
    map_index: int = -1
    state: str | None = None
    instances: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None


class Step(BaseModel, frozen=True):
    """A step of a long task, such as an epoch of a training.

    Attributes:
        task_id: The task.
        message: What was logged.
        done: How many steps are done; None for a step that gets a line of its own.
        total: How many steps there are, or None.
    """

    task_id: str
    message: str
    done: int | None = None
    total: int | None = None


class Event(BaseModel, frozen=True):
    """Something that happened in a run.

    Attributes:
        run_id: The run; None where it could not start.
        state: State of the run, once it has ended.
        tasks: Task instances with a new state.
        step: A step that a task has completed.
        error: Why Airflow could not carry the run out.
    """

    run_id: str | None
    state: str | None = None
    tasks: tuple[TaskState, ...] = ()
    step: Step | None = None
    error: str | None = None


def write_event(path: Path, event: Event) -> None:
    """Append an event; several processes may write to one file."""
    line = event.model_dump_json(exclude_defaults=True) + "\n"
    # A short write in append mode is never mixed with another one.
    with path.open("ab", buffering=0) as file:
        file.write(line.encode())


class EventReader:
    """Reads the events that are appended to a file from now on.

    Args:
        path: The file; it is created if missing.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._path = path
        self._offset = path.stat().st_size

    def poll(self) -> Iterator[Event]:
        """Yield the events since the last call, without waiting."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield Event.model_validate_json(line)
