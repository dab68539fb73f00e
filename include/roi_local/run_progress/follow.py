"""Following a run to its end, whichever processes carry it out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from roi_local.command import one_line
from roi_local.run_progress.airflow_metadata import RunState, read_run
from roi_local.run_progress.log_events import LogSource
from roi_local.run_progress.progress import ProgressPrinter

_SECONDS_BETWEEN_LOOKS = 0.3


@dataclass(frozen=True)
class FollowedRun:
    """A run when it was last looked at.

    Attributes:
        run: Its state; unfinished where its processes ended before it did.
        errors: The last error that each task logged.
    """

    run: RunState
    errors: dict[str, str]

    def failure(self) -> str | None:
        """Return why the run failed in one line, or None where it succeeded."""
        if self.run.state == "success":
            return None
        failed = [task for task in self.run.tasks if task.state == "failed" and task.ended_at]
        if not failed:
            return f"the run ended in state {self.run.state!r} without a failed task"
        # Earlier failures may have been tolerated (a quorum), so the last one is the reason.
        decisive = max(failed, key=lambda task: task.ended_at or task.started_at)  # type: ignore[arg-type,return-value]
        reason = self.errors.get(decisive.task_id, "it left no message")
        return f"{decisive.task_id} failed: {one_line(reason)}"


def follow_run(
    engine: Engine,
    dag_id: str,
    run_id: str,
    *,
    source: LogSource,
    printer: ProgressPrinter,
    is_carried_out: Callable[[], bool],
) -> FollowedRun:
    """Print a run's progress until it ends, or until nothing carries it out any more.

    Args:
        engine: Airflow's database.
        dag_id: The DAG.
        run_id: The run.
        source: Where its tasks log to.
        printer: Shows what is new.
        is_carried_out: Tells whether the processes that run the tasks are alive.
    """
    errors: dict[str, str] = {}
    try:
        while True:
            alive = is_carried_out()
            run = read_run(engine, dag_id, run_id)
            # Read after the state, so that a task's last lines never follow its end.
            events = source.poll()
            errors |= {
                event.task_id: event.error for event in events if event.task_id and event.error
            }
            printer.show(run, events, errors)
            if run.is_finished or not alive:
                return FollowedRun(run, errors)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        printer.close()
