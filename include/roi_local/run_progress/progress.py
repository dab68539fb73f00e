"""Showing a run while it goes on: one line as a task starts and ends, a count, a bar."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from roi_local.command import one_line
from roi_local.run_progress.airflow_metadata import RunState, TaskState
from roi_local.run_progress.log_events import LogEvent

_EPOCH = re.compile(r"epoch (?P<epoch>\d+)/(?P<epochs>\d+)\b")
_FOLD = re.compile(r"\w+: fold \d+ of \d+\b")
_FAILED = ("failed", "upstream_failed")
_FINISHED = ("success", "skipped", "removed", *_FAILED)
_BAR_WIDTH = 24
_NAME_WIDTH = 16
_SECONDS_BETWEEN_COUNTS = 5.0


@dataclass(frozen=True)
class TaskSummary:
    """All instances of one task together; a mapped task has many.

    Attributes:
        task_id: The task.
        instances: Its instances.
    """

    task_id: str
    instances: tuple[TaskState, ...]

    @property
    def has_started(self) -> bool:
        """Whether any instance has begun to run."""
        # Airflow gives a skipped task a start as well.
        return any(
            instance.started_at and instance.state not in ("skipped", "upstream_failed")
            for instance in self.instances
        )

    @property
    def has_ended(self) -> bool:
        """Whether no instance is left to run."""
        return all(instance.state in _FINISHED for instance in self.instances)

    @property
    def seconds(self) -> float | None:
        """Time from the first start to the last end, or None where nothing ran."""
        starts = [instance.started_at for instance in self.instances if instance.started_at]
        ends = [instance.ended_at for instance in self.instances if instance.ended_at]
        if not starts or not ends or not self._ran:
            return None
        return max((max(ends) - min(starts)).total_seconds(), 0.0)

    @property
    def _ran(self) -> bool:
        return any(instance.state in ("success", "failed") for instance in self.instances)

    @property
    def outcome(self) -> str:
        """How it ended, in a few words."""
        if not self._ran:
            skipped = any(instance.state == "skipped" for instance in self.instances)
            return "skipped" if skipped else "not run"
        failed = self.count("failed")
        if len(self.instances) == 1:
            word = "failed after" if failed else "done in"
        else:
            word = f"{self.count('success')} of {len(self.instances)} done in"
        return f"{word} {self.seconds or 0.0:.1f} s"

    def count(self, state: str) -> int:
        """Return how many instances are in a state."""
        return sum(instance.state == state for instance in self.instances)


def summarise(run: RunState) -> list[TaskSummary]:
    """Group a run's task instances by task, in order of their first start."""
    instances: dict[str, list[TaskState]] = {}
    for instance in run.tasks:
        instances.setdefault(instance.task_id, []).append(instance)
    return [TaskSummary(task_id, tuple(group)) for task_id, group in instances.items()]


class ProgressPrinter:
    """Prints what is new since the last look.

    Args:
        out: Where to print.
        interactive: Whether a line may be drawn over, as in a terminal.
        clock: Seconds that pass; counts of a mapped task are printed some seconds apart.
    """

    def __init__(
        self, out: TextIO, *, interactive: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._interactive = interactive
        self._clock = clock
        self._started: set[str] = set()
        self._ended: set[str] = set()
        self._retried: set[tuple[str, int, datetime | None]] = set()
        self._counts: dict[str, tuple[int, float]] = {}
        self._bar_is_open = False

    def show(self, run: RunState, events: Iterable[LogEvent], errors: dict[str, str]) -> None:
        """Print the epochs and folds that were logged, then what the tasks have done.

        Args:
            run: The run's present state.
            events: Log events since the last call.
            errors: Last error by task, shown where a task is tried again.
        """
        for event in events:
            if found := _EPOCH.match(event.message):
                self._show_epoch(event, int(found["epoch"]), int(found["epochs"]))
            elif _FOLD.match(event.message):
                self._show_fold(event)
        for task in summarise(run):
            if task.task_id in self._ended:
                continue
            if task.has_started:
                self._show_start(task.task_id)
            self._show_retries(task, errors)
            if task.has_ended:
                self._ended.add(task.task_id)
                self._print(task.task_id, task.outcome)
            elif len(task.instances) > 1:
                self._show_count(task)

    def close(self) -> None:
        """End the line that is being drawn over."""
        if self._bar_is_open:
            print(file=self._out, flush=True)
            self._bar_is_open = False

    def _show_start(self, task_id: str) -> None:
        if task_id not in self._started:
            self._started.add(task_id)
            self._print(task_id, "started")

    def _show_epoch(self, event: LogEvent, epoch: int, epochs: int) -> None:
        task_id = event.task_id or ""
        if task_id:
            self._show_start(task_id)
        if self._interactive:
            self._draw(f"{_bar(epoch, epochs)} {event.message}")
        else:
            self._print(task_id, event.message)

    def _show_fold(self, event: LogEvent) -> None:
        task_id = event.task_id or ""
        if task_id:
            self._show_start(task_id)
        self._print(task_id, event.message)

    def _show_count(self, task: TaskSummary) -> None:
        done, total = task.count("success"), len(task.instances)
        last_done, last_time = self._counts.get(task.task_id, (0, self._clock()))
        self._counts.setdefault(task.task_id, (last_done, last_time))
        if done == last_done:
            return
        if self._interactive:
            self._draw(f"{_bar(done, total)} {task.task_id} {done} of {total}")
        elif self._clock() - last_time >= _SECONDS_BETWEEN_COUNTS:
            self._print(task.task_id, f"{done} of {total}")
        else:
            return
        self._counts[task.task_id] = (done, self._clock())

    def _show_retries(self, task: TaskSummary, errors: dict[str, str]) -> None:
        for instance in task.instances:
            key = (instance.task_id, instance.map_index, instance.started_at)
            if instance.state == "up_for_retry" and key not in self._retried:
                self._retried.add(key)
                reason = one_line(errors.get(task.task_id, "no message"))
                self._print(task.task_id, f"failed and will be tried again: {reason}")

    def _print(self, task_id: str, text: str) -> None:
        self.close()
        moment = datetime.now().astimezone()
        print(f"{moment:%H:%M:%S}  {task_id:<{_NAME_WIDTH}} {text}", file=self._out, flush=True)

    def _draw(self, text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=self._out, flush=True)
        self._bar_is_open = True


def _bar(done: int, total: int) -> str:
    filled = _BAR_WIDTH * done // max(total, 1)
    return f"[{'#' * filled}{'-' * (_BAR_WIDTH - filled)}]"
