"""Showing a run while it is at work: a line as a task starts and ends, and a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from roi_local.command import one_line
from roi_local.run_progress.events import Event, Step, TaskState
from roi_local.run_progress.followed_run import FollowedRun

_SECONDS_BETWEEN_COUNTS = 5.0


class ProgressPrinter:
    """Prints the events of a run as they arrive; where lines cannot be drawn over, plain lines.

    Args:
        out: Where to print.
        interactive: Whether it is a terminal, which gets a progress bar.
        clock: Seconds that pass; counts of a mapped task are printed some seconds apart.
    """

    def __init__(
        self, out: TextIO, *, interactive: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = Console(
            file=out, force_terminal=interactive, markup=False, highlight=False, emoji=False
        )
        # A narrow terminal cuts the text, not the bar.
        text = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=text),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._bar: TaskID | None = None
        self._interactive = interactive
        self._clock = clock
        self._last_line: dict[str, float] = {}
        self._ended: set[str] = set()

    def show(self, event: Event, run: FollowedRun) -> None:
        """Print what an event says.

        Args:
            event: The event.
            run: The run, this event included.
        """
        if event.step is not None:
            self._show_step(event.step)
        for task in event.tasks:
            self._show_task(task, run)

    def close(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._progress.stop()
            self._progress.remove_task(self._bar)
            self._bar = None

    def _show_step(self, step: Step) -> None:
        self._show_start(step.task_id)
        if self._interactive and step.done is not None and step.total is not None:
            self._draw(step.message, step.done, step.total)
        else:
            self._print(step.task_id, step.message)

    def _show_task(self, task: TaskState, run: FollowedRun) -> None:
        if task.state == "running":
            self._show_start(task.task_id)
        elif task.state == "up_for_retry":
            reason = one_line(task.error or "it left no message")
            self._print(task.task_id, f"failed and will be tried again: {reason}")
        summary = run.task(task.task_id)
        if task.task_id in self._ended:
            return
        if summary.has_ended:
            self._ended.add(task.task_id)
            self.close()
            self._print(task.task_id, summary.outcome)
        elif summary.total > 1 and task.state == "success":
            self._show_count(task.task_id, summary.count("success"), summary.total)

    def _show_start(self, task_id: str) -> None:
        if task_id not in self._last_line:
            self._print(task_id, "started")

    def _show_count(self, task_id: str, done: int, total: int) -> None:
        if self._interactive:
            self._draw(f"{task_id} {done} of {total}", done, total)
        elif self._clock() - self._last_line[task_id] >= _SECONDS_BETWEEN_COUNTS:
            self._print(task_id, f"{done} of {total}")

    def _print(self, task_id: str, text: str) -> None:
        self._last_line[task_id] = self._clock()
        moment = datetime.now().astimezone()
        self._console.print(f"{moment:%H:%M:%S}  {task_id:<16} {text}", soft_wrap=True)
        self._console.file.flush()

    def _draw(self, text: str, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = self._progress.add_task("")
            self._progress.start()
        self._progress.update(
            self._bar, description=text, completed=done, total=total, refresh=True
        )
