"""The listener through which Airflow tells `make run` what happens in a run."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl
from sqlalchemy.orm import object_session

from roi_local.run_progress.events import Event, Step, TaskState, write_event

if TYPE_CHECKING:
    from airflow.models import DagRun

_LIBRARY = logging.getLogger("roi_forecast")


class RunListener:
    """Writes an event for each change of a task or a run, and for each step that a task logs.

    Airflow calls the methods for tasks in the process of the task and those for runs in the
    process that schedules, so every process has a listener of its own.

    Args:
        path: The file of events.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._steps = _StepHandler(path)

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """Report a task that starts, and follow what it logs."""
        self._steps.task_instance = task_instance
        _LIBRARY.addHandler(self._steps)
        self._report(task_instance, "running")

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Report a task that succeeded."""
        self._report(task_instance, "success")

    @hookimpl
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """Report a task that skipped itself."""
        self._report(task_instance, "skipped")

    @hookimpl
    def on_task_instance_failed(
        self, task_instance: Any, error: BaseException | str | None
    ) -> None:
        """Report a task that failed, for good or until it is tried again."""
        if isinstance(error, BaseException):
            error = f"{type(error).__name__}: {error}"
        self._report(task_instance, task_instance.state or "failed", error)

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun) -> None:
        """Report a run that succeeded."""
        self._report_end(dag_run, "success")

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun) -> None:
        """Report a run that failed."""
        self._report_end(dag_run, "failed")

    def _report(self, task_instance: Any, state: str, error: str | None = None) -> None:
        running = state == "running"
        task = TaskState(
            task_id=task_instance.task_id,
            map_index=task_instance.map_index,
            state=state,
            instances=_count_instances(task_instance) if running else 1,
            started_at=task_instance.start_date,
            ended_at=None if running else task_instance.end_date or datetime.now(UTC),
            error=error,
        )
        write_event(self._path, Event(run_id=task_instance.run_id, tasks=(task,)))

    def _report_end(self, dag_run: DagRun, state: str) -> None:
        # Airflow reports no task that the scheduler skipped or whose process was killed. Its
        # scheduler forbids to commit here, so that its own session has to be used.
        session = object_session(dag_run)
        instances = (
            dag_run.get_task_instances(session=session) if session else dag_run.get_task_instances()
        )
        tasks = tuple(
            TaskState(
                task_id=instance.task_id,
                map_index=instance.map_index,
                state=instance.state,
                started_at=instance.start_date,
                ended_at=instance.end_date,
            )
            for instance in sorted(instances, key=_start)
        )
        write_event(self._path, Event(run_id=dag_run.run_id, state=state, tasks=tasks))


class _StepHandler(logging.Handler):
    """Writes an event for each log record with the attribute `step`.

    That is how many steps are done and how many there are, or None for a step that gets a line of
    its own, since shorter ones are counted in it.

    Args:
        path: The file of events.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.task_instance: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "step"):
            return
        done, total = record.step or (None, None)
        task_id = self.task_instance.task_id
        completed = Step(task_id=task_id, message=record.getMessage(), done=done, total=total)
        write_event(self._path, Event(run_id=self.task_instance.run_id, step=completed))


def _start(task_instance: Any) -> tuple[bool, float]:
    began = task_instance.start_date
    return (began is None, 0.0 if began is None else began.timestamp())


def _count_instances(task_instance: Any) -> int:
    if task_instance.map_index < 0:
        return 1
    count: int = task_instance.get_ti_count(
        task_instance.dag_id, task_ids=[task_instance.task_id], run_ids=[task_instance.run_id]
    )
    return count
