"""What a person sees while a run is at work, and why it failed."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from roi_local.run_progress.events import Event, Step, TaskState
from roi_local.run_progress.followed_run import FollowedRun
from roi_local.run_progress.progress import ProgressPrinter

START = datetime(2024, 1, 1, tzinfo=UTC)


def instance(
    task_id: str,
    state: str | None,
    *,
    index: int = -1,
    instances: int = 1,
    begin: float | None = None,
    end: float | None = None,
    error: str | None = None,
) -> Event:
    task = TaskState(
        task_id=task_id,
        map_index=index,
        state=state,
        instances=instances,
        started_at=None if begin is None else START + timedelta(seconds=begin),
        ended_at=None if end is None else START + timedelta(seconds=end),
        error=error,
    )
    return Event(run_id="run", tasks=(task,))


def end_of_run(state: str, *tasks: Event) -> Event:
    return Event(run_id="run", state=state, tasks=tuple(event.tasks[0] for event in tasks))


def epoch(number: int, total: int) -> Event:
    message = f"epoch {number}/{total}: loss 0.5"
    step = Step(task_id="train_model", message=message, done=number, total=total)
    return Event(run_id="run", step=step)


def drawn(*events: Event, interactive: bool = False) -> str:
    out = io.StringIO()
    clock = iter(range(0, 1000, 10))
    printer = ProgressPrinter(out, interactive=interactive, clock=lambda: float(next(clock)))
    run = FollowedRun()
    for event in events:
        run.add(event)
        printer.show(event, run)
    printer.close()
    return out.getvalue()


def shown(*events: Event) -> list[str]:
    lines = drawn(*events).rstrip("\n").split("\n")
    return [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in lines]


def test_each_task_shows_one_line_at_its_start_and_one_at_its_end() -> None:
    done = instance("resolve_run", "success", begin=0, end=2.5)

    lines = shown(
        instance("resolve_run", "running", begin=0),
        done,
        end_of_run("success", done, instance("forecast", "skipped", begin=3, end=3)),
    )

    assert lines == [
        "resolve_run      started",
        "resolve_run      done in 2.5 s",
        "forecast         skipped",
    ]


def test_mapped_task_is_shown_as_a_count() -> None:
    events = []
    for index in range(4):
        more = {"index": index, "instances": 4, "begin": index}
        events.append(instance("extract_prices", "running", **more))
        events.append(instance("extract_prices", "success", end=index + 1.0, **more))

    assert shown(*events) == [
        "extract_prices   started",
        "extract_prices   1 of 4",
        "extract_prices   2 of 4",
        "extract_prices   3 of 4",
        "extract_prices   4 of 4 done in 4.0 s",
    ]


def test_failed_attempt_is_shown_with_its_reason_and_the_next_one_can_succeed() -> None:
    error = "SourceError: no\nanswer"

    lines = shown(
        instance("extract_prices", "running", begin=0),
        instance("extract_prices", "up_for_retry", begin=0, end=1, error=error),
        instance("extract_prices", "running", begin=31),
        instance("extract_prices", "success", begin=31, end=32),
    )

    assert lines[1:] == [
        "extract_prices   failed and will be tried again: SourceError: no answer",
        "extract_prices   done in 1.0 s",
    ]


def test_epochs_come_before_the_end_of_the_training() -> None:
    lines = shown(
        instance("train_model", "running", begin=0),
        epoch(2, 2),
        instance("train_model", "success", begin=0, end=9),
    )

    assert lines == [
        "train_model      started",
        "train_model      epoch 2/2: loss 0.5",
        "train_model      done in 9.0 s",
    ]


def test_epoch_that_comes_before_the_state_shows_the_start_first() -> None:
    lines = shown(epoch(1, 2), instance("train_model", "running", begin=0))

    assert lines == ["train_model      started", "train_model      epoch 1/2: loss 0.5"]


def test_terminal_draws_epochs_over_each_other_and_removes_the_bar() -> None:
    text = drawn(
        *(instance("train_model", "running", begin=0), epoch(1, 4), epoch(2, 4)),
        instance("train_model", "success", begin=0, end=9),
        interactive=True,
    )

    erase_line, show_cursor = "\x1b[2K", "\x1b[?25h"
    first, second = text.index("epoch 1/4: loss 0.5"), text.index("epoch 2/4: loss 0.5")
    assert erase_line in text[first:second]
    assert "\n" not in text[first:second]
    removed = text[text.rindex("epoch 2/4: loss 0.5") :]
    assert erase_line in removed
    assert show_cursor in removed
    assert removed.rstrip().endswith("train_model      done in 9.0 s")


def test_terminal_keeps_a_line_for_a_step_that_holds_shorter_ones() -> None:
    fold = Step(task_id="walk_forward", message="network: fold 1 of 4")

    text = drawn(Event(run_id="run", step=fold), epoch(1, 4), interactive=True)

    assert "walk_forward     network: fold 1 of 4\n" in text


@pytest.mark.parametrize(
    ("tasks", "failure"),
    [
        (
            [
                instance("extract_prices", "failed", index=0, begin=0, end=1, error="tolerated"),
                instance("check_prices", "failed", begin=2, end=3, error="CheckError:\nquorum"),
                instance("build_dataset", "upstream_failed", begin=4, end=4),
            ],
            "check_prices failed: CheckError: quorum",
        ),
        (
            [instance("resolve_run", "failed", begin=0, end=1)],
            "resolve_run failed: it left no message",
        ),
        ([], "the run ended in state 'failed' without a failed task"),
    ],
)
def test_failure_names_the_task_that_decided(tasks: list[Event], failure: str) -> None:
    run = FollowedRun()
    for event in tasks:
        run.add(event)
    # The event of the end knows the states but no errors.
    known = [event.tasks[0].model_copy(update={"error": None}) for event in tasks]
    run.add(Event(run_id="run", state="failed", tasks=tuple(known)))

    assert run.failure() == failure
