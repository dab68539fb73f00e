"""What the events of a run add up to: the state of every task, and why the run failed."""

from __future__ import annotations

from collections.abc import Sequence

from roi_local.command import one_line
from roi_local.run_progress.events import Event, TaskState

_ENDED = ("success", "skipped", "removed", "failed", "upstream_failed")


class FollowedRun:
    """A run as its events tell it.

    Attributes:
        run_id: The run; None before its first event.
        state: `success` or `failed` once it has ended.
        error: Why Airflow could not carry it out, if so.
    """

    def __init__(self, run_id: str | None = None) -> None:
        self.run_id = run_id
        self.state: str | None = None
        self.error: str | None = None
        self._tasks: dict[str, dict[int, TaskState]] = {}

    def add(self, event: Event) -> None:
        """Take an event of this run into account."""
        self.run_id = event.run_id or self.run_id
        self.state = event.state or self.state
        self.error = event.error or self.error
        for task in event.tasks:
            instances = self._tasks.setdefault(task.task_id, {})
            known = instances.get(task.map_index, task)
            # The end of the run repeats every task, without its error and number of instances.
            instances[task.map_index] = task.model_copy(
                update={
                    "error": task.error or known.error,
                    "instances": max(task.instances, known.instances),
                }
            )

    @property
    def tasks(self) -> list[TaskSummary]:
        """Every task that an event was about, in the order of their first event."""
        return [self.task(task_id) for task_id in self._tasks]

    def task(self, task_id: str) -> TaskSummary:
        """Return one task that an event was about."""
        return TaskSummary(task_id, tuple(self._tasks[task_id].values()))

    def failure(self) -> str | None:
        """Return why the run failed in one line, or None where it succeeded."""
        if self.state == "success":
            return None
        failed = [
            instance
            for task in self.tasks
            for instance in task.instances
            if instance.state == "failed" and instance.ended_at
        ]
        if not failed:
            return f"the run ended in state {self.state!r} without a failed task"
        # A run tolerates some failures (the quorum of prices), so the last one is the reason.
        decisive = max(failed, key=lambda instance: instance.ended_at or instance.started_at)  # type: ignore[arg-type,return-value]
        return f"{decisive.task_id} failed: {one_line(decisive.error or 'it left no message')}"


class TaskSummary:
    """All instances of one task together; a mapped task may have many.

    Args:
        task_id: The task.
        instances: The instances that an event was about.
    """

    def __init__(self, task_id: str, instances: Sequence[TaskState]) -> None:
        self.task_id = task_id
        self.instances = instances
        self.total = max(len(instances), *(instance.instances for instance in instances))

    def count(self, state: str) -> int:
        """Return how many instances are in a state."""
        return sum(instance.state == state for instance in self.instances)

    @property
    def has_ended(self) -> bool:
        """Whether no instance is left to run."""
        return sum(instance.state in _ENDED for instance in self.instances) == self.total

    @property
    def seconds(self) -> float | None:
        """Time from the first start to the last end, or None where nothing ran."""
        starts = [instance.started_at for instance in self.instances if instance.started_at]
        ends = [instance.ended_at for instance in self.instances if instance.ended_at]
        if not (starts and ends and self._ran):
            return None
        return max((max(ends) - min(starts)).total_seconds(), 0.0)

    @property
    def _ran(self) -> bool:
        return self.count("success") + self.count("failed") > 0

    @property
    def outcome(self) -> str:
        """How the task ended, in a few words."""
        if not self._ran:
            return "skipped" if self.count("skipped") else "not run"
        if self.total > 1:
            words = f"{self.count('success')} of {self.total} done in"
        else:
            words = "failed after" if self.count("failed") else "done in"
        return f"{words} {self.seconds or 0.0:.1f} s"
