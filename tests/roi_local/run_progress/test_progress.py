"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from roi_local.run_progress.airflow_metadata import RunState, TaskState
from roi_local.run_progress.follow import FollowedRun
from roi_local.run_progress.log_events import LogEvent
from roi_local.run_progress.progress import ProgressPrinter

START = datetime(2024, 1, 1, tzinfo=UTC)


def instance(
    task_id: str,
    state: str | None,
    *,
    index: int = -1,
    begin: float | None = None,
    end: float | None = None,
) -> TaskState:
    started_at = None if begin is None else START + timedelta(seconds=begin)
    ended_at = None if end is None else START + timedelta(seconds=end)
    return TaskState(task_id, index, state, started_at, ended_at)


def run_of(*tasks: TaskState, state: str = "running") -> RunState:
    return RunState("run", state, tasks)


def shown(*looks: tuple[RunState, list[LogEvent]], interactive: bool = False) -> list[str]:
    out = io.StringIO()
    clock = iter(range(0, 1000, 10))
    printer = ProgressPrinter(out, interactive=interactive, clock=lambda: float(next(clock)))
    for run, events in looks:
        printer.show(run, events, {"extract_prices": "SourceError: no\nanswer"})
    printer.close()
    return [
        re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in out.getvalue().rstrip("\n").split("\n")
    ]


def test_each_task_shows_one_line_at_its_start_and_one_at_its_end() -> None:
    running = run_of(instance("resolve_run", "running", begin=0), instance("forecast", None))
    done = run_of(
        instance("resolve_run", "success", begin=0, end=2.5),
        instance("forecast", "skipped", begin=3, end=3),
    )

    lines = shown((running, []), (running, []), (done, []), (done, []))

    assert lines == [
        "resolve_run      started",
        "resolve_run      done in 2.5 s",
        "forecast         skipped",
    ]


def test_mapped_task_is_shown_as_a_count() -> None:
    def extraction(done: int) -> RunState:
        return run_of(
            *(
                instance(
                    "extract_prices",
                    "success" if index < done else "running",
                    index=index,
                    begin=index,
                    end=index + 1.0 if index < done else None,
                )
                for index in range(4)
            )
        )

    lines = shown((extraction(0), []), (extraction(2), []), (extraction(4), []))

    assert lines == [
        "extract_prices   started",
        "extract_prices   2 of 4",
        "extract_prices   4 of 4 done in 4.0 s",
    ]


def test_failed_attempt_is_shown_once_with_its_reason() -> None:
    waiting = run_of(instance("extract_prices", "up_for_retry", begin=0, end=1))

    lines = shown((waiting, []), (waiting, []))

    assert lines[1:] == ["extract_prices   failed and will be tried again: SourceError: no answer"]


def test_epochs_come_before_the_end_of_the_training() -> None:
    running = run_of(instance("train_model", "running", begin=0))
    done = run_of(instance("train_model", "success", begin=0, end=9))
    last = LogEvent("epoch 2/2: loss 0.5 validation_loss 0.6", task_id="train_model")

    lines = shown((running, [LogEvent("rows: 3")]), (done, [last]))

    assert lines == [
        "train_model      started",
        "train_model      epoch 2/2: loss 0.5 validation_loss 0.6",
        "train_model      done in 9.0 s",
    ]


def test_epoch_that_comes_before_the_state_shows_the_start_first() -> None:
    first = LogEvent("epoch 1/2: loss 1", task_id="train_model")
    running = run_of(instance("train_model", "running", begin=0))

    lines = shown((run_of(instance("train_model", None)), [first]), (running, []))

    assert lines == ["train_model      started", "train_model      epoch 1/2: loss 1"]


def test_terminal_draws_epochs_over_each_other() -> None:
    running = run_of(instance("train_model", "running", begin=0))
    events = [LogEvent(f"epoch {epoch}/4: loss 1") for epoch in (1, 2)]

    drawn = shown((running, events), interactive=True)[0].split("\r\x1b[K")

    assert drawn[1] == "[######------------------] epoch 1/4: loss 1"
    assert drawn[2] == "[############------------] epoch 2/4: loss 1"


@pytest.mark.parametrize(
    ("tasks", "failure"),
    [
        (
            [
                instance("extract_prices", "failed", index=0, begin=0, end=1),
                instance("check_prices", "failed", begin=2, end=3),
                instance("build_dataset", "upstream_failed", begin=4, end=4),
            ],
            "check_prices failed: PriceCheckError: quorum missed",
        ),
        (
            [instance("resolve_run", "failed", begin=0, end=1)],
            "resolve_run failed: it left no message",
        ),
        ([], "the run ended in state 'failed' without a failed task"),
    ],
)
def test_failure_names_the_task_that_decided(tasks: list[TaskState], failure: str) -> None:
    errors = {
        "extract_prices": "SourceError: tolerated",
        "check_prices": "PriceCheckError:\nquorum missed",
    }

    assert FollowedRun(run_of(*tasks, state="failed"), errors).failure() == failure
