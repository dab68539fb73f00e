from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.roles import WRITER_ROLE
from roi_forecast.database.tables import stage_attempts, stage_endings
from roi_forecast.reading.runs import Run
from roi_forecast.runs.attempts import (
    ATTEMPT_LOCKS,
    Attempt,
    Ending,
    record_start,
    recorded,
    settle_runs,
)

NOW = datetime(2025, 1, 15, 12, tzinfo=UTC)
DONE = Ending("succeeded", ends_run=True)
WELL = Ending("succeeded")

DIES = """
import sys, time
from roi_forecast.database.engine import create_database_engine
from roi_forecast.runs.attempts import Attempt, Ending, recorded

ending = Ending("succeeded")
attempt = Attempt("run", "train_member", 0, 1)
engine = create_database_engine(sys.argv[1])
with recorded(engine, attempt, at_the_end=ending, after_error=lambda error: ending):
    print("alive", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def engine(market_url: str) -> Iterator[Engine]:
    """The market database as the stages' login sees it, with a started run."""
    engine = create_database_engine(f"{market_url}&options=-c%20role%3D{WRITER_ROLE}")
    record_start(engine, "run", "daily_roi_forecast", "mine", now=NOW)
    yield engine
    engine.dispose()


@contextmanager
def attempt(
    engine: Engine,
    stage: str,
    ending: Ending = WELL,
    *,
    map_index: int = -1,
    number: int = 1,
    run_id: str = "run",
) -> Iterator[None]:
    with recorded(
        engine,
        Attempt(run_id, stage, map_index, number),
        at_the_end=ending,
        after_error=lambda error: Ending("failed", f"reported: {error}"),
    ):
        yield


def go_through(engine: Engine, stage: str, ending: Ending = WELL, **position: Any) -> None:
    with attempt(engine, stage, ending, **position):
        pass


def fail(engine: Engine, stage: str, reason: str = "as asked", **position: Any) -> None:
    go_through(engine, stage, Ending("failed", reason), **position)


def history(engine: Engine, run_id: str = "run") -> Any:
    with engine.connect() as connection:
        rows = connection.execute(select(Run.view).where(Run.view.c.run_id == run_id))
        return rows.one()


def test_a_run_is_on_record_before_it_is_resolved(engine: Engine) -> None:
    found = history(engine)
    assert (found.model_name, found.state, found.as_of_date) == ("mine", "waiting", None)
    assert (found.started_at, found.ended_at) == (NOW, None)
    assert found.reason == "for its next stage to start"


def test_a_run_that_starts_again_keeps_its_start(engine: Engine) -> None:
    record_start(engine, "run", "daily_roi_forecast", "mine", now=NOW.replace(hour=15))
    assert history(engine).started_at == NOW


def test_a_run_is_running_while_one_of_its_stages_is(engine: Engine) -> None:
    go_through(engine, "resolve_run")
    with (
        attempt(engine, "extract_prices", map_index=0),
        attempt(engine, "extract_prices", map_index=1),
    ):
        found = history(engine)
        assert (found.state, found.reason) == ("running", "extract_prices")
    assert history(engine).state == "waiting"


def test_an_error_reaches_the_history_and_the_caller_in_full(engine: Engine) -> None:
    reason = "the quorum was missed; " + "name other assets, " * 300
    with pytest.raises(ValueError, match="the quorum"), attempt(engine, "check_prices"):
        raise ValueError(reason)
    found = history(engine)
    assert (found.state, found.failed_stage) == ("failed", "check_prices")
    assert found.reason == f"reported: {reason}"
    assert found.ended_at is not None


def test_an_interruption_also_ends_an_attempt(engine: Engine) -> None:
    with pytest.raises(KeyboardInterrupt), attempt(engine, "train_member"):
        raise KeyboardInterrupt
    assert history(engine).state == "failed"


def test_a_killed_stage_has_failed_and_says_so(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", DIES, url],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "alive\n"
    assert history(engine).state == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    wait_until_no_attempt_lives(engine)
    found = history(engine)
    assert (found.state, found.failed_stage, found.ended_at) == ("failed", "train_member", None)
    assert found.reason.startswith("its process ended unexpectedly (killed, out of memory")

    with attempt(engine, "train_member", map_index=0, number=2):
        assert history(engine).state == "running"
    assert history(engine).state == "waiting"


def wait_until_no_attempt_lives(engine: Engine) -> None:
    """PostgreSQL notices the death of a process a moment later."""
    held = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :locks "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with engine.connect() as connection:
        for _ in range(1000):
            if connection.scalar(held, {"locks": ATTEMPT_LOCKS}) == 0:
                return
            connection.execute(text("SELECT pg_sleep(0.02)"))
    pytest.fail("the lock of an attempt that ended is still held")


def test_an_attempt_that_ended_holds_no_lock(engine: Engine) -> None:
    go_through(engine, "resolve_run")
    wait_until_no_attempt_lives(engine)


def test_a_retry_is_shown_with_its_reason_until_it_starts(engine: Engine) -> None:
    go_through(engine, "resolve_run", Ending("retrying", "attempt 1 of 3 failed: no answer"))
    found = history(engine)
    assert found.state == "waiting"
    assert found.reason == "resolve_run: attempt 1 of 3 failed: no answer"
    go_through(engine, "resolve_run", number=2)
    assert history(engine).reason == "for its next stage to start"


def test_a_run_waits_for_a_persons_answer_while_other_stages_run(engine: Engine) -> None:
    go_through(engine, "resolve_run")
    go_through(engine, "approve_promotion", Ending("waiting", "for a person's answer"))
    with attempt(engine, "forecast_meanwhile"):
        assert history(engine).state == "running"
    found = history(engine)
    assert (found.state, found.reason) == ("waiting", "approve_promotion: for a person's answer")
    go_through(engine, "approve_promotion")
    go_through(engine, "forecast", DONE)
    assert history(engine).state == "done"


def test_repeated_waiting_adds_no_row(engine: Engine) -> None:
    for _ in range(3):
        go_through(engine, "resolve_run", Ending("waiting", "run 'other' is still going"))
    with engine.connect() as connection:
        assert len(connection.execute(select(stage_attempts)).all()) == 1
        assert len(connection.execute(select(stage_endings)).all()) == 1
    assert history(engine).state == "waiting"


@pytest.mark.parametrize("ending", [DONE, Ending("skipped", "no version serves", ends_run=True)])
def test_the_last_stage_ends_the_run(engine: Engine, ending: Ending) -> None:
    go_through(engine, "resolve_run")
    go_through(engine, "forecast", ending)
    found = history(engine)
    assert (found.state, found.failed_stage, found.reason) == ("done", None, ending.reason)
    assert found.ended_at is not None


def test_a_run_that_continues_without_an_asset_has_not_failed(engine: Engine) -> None:
    go_through(engine, "extract_prices", map_index=0)
    fail(engine, "extract_prices", map_index=1)
    assert history(engine).state == "waiting"
    go_through(engine, "check_prices")
    go_through(engine, "forecast", DONE)
    assert history(engine).state == "done"


def test_a_run_without_any_asset_has_failed(engine: Engine) -> None:
    fail(engine, "extract_prices", "no answer", map_index=0)
    fail(engine, "extract_prices", "no answer", map_index=1)
    found = history(engine)
    assert (found.state, found.failed_stage) == ("failed", "extract_prices")
    assert found.reason == "no answer"


def test_a_network_that_failed_counts_though_another_succeeded_later(engine: Engine) -> None:
    fail(engine, "train_member", "out of memory", map_index=0)
    go_through(engine, "train_member", map_index=1)
    assert history(engine).reason == "out of memory"


def test_a_stage_that_failed_after_the_forecasts_fails_the_run(engine: Engine) -> None:
    go_through(engine, "forecast", DONE)
    fail(engine, "monitor_champion", "odd figures")
    found = history(engine)
    assert (found.state, found.failed_stage) == ("failed", "monitor_champion")


def test_a_cleared_run_starts_over(engine: Engine) -> None:
    go_through(engine, "resolve_run")
    fail(engine, "check_prices")
    go_through(engine, "resolve_run", number=2)
    assert history(engine).state == "waiting"
    go_through(engine, "check_prices", number=2)
    go_through(engine, "forecast", DONE)
    assert history(engine).state == "done"
    go_through(engine, "resolve_run", number=3)
    assert history(engine).state == "waiting"


def settle(engine: Engine, *, active: set[str], succeeded: set[str]) -> None:
    settle_runs(
        engine,
        lambda dag_id, run_id: run_id in active,
        lambda dag_id, run_id: run_id in succeeded,
    )


def test_a_run_that_a_person_marked_is_settled_by_a_later_one(engine: Engine) -> None:
    for run_id in ("passed", "given up", "going", "failed before"):
        record_start(engine, run_id, "daily_roi_forecast", "mine", now=NOW)
        go_through(engine, "resolve_run", run_id=run_id)
    fail(engine, "check_prices", "the quorum was missed", run_id="failed before")
    fail(engine, "check_prices", "the quorum was missed", run_id="passed")
    for _ in range(2):
        settle(engine, active={"run", "going"}, succeeded={"passed"})
    found = {
        run_id: history(engine, run_id)
        for run_id in ("passed", "given up", "going", "failed before")
    }
    assert {run_id: row.state for run_id, row in found.items()} == {
        "passed": "done",
        "given up": "failed",
        "going": "waiting",
        "failed before": "failed",
    }
    assert found["passed"].reason == "it was marked as a success from outside"
    assert found["given up"].reason == "it was marked as failed or deleted from outside"
    assert found["failed before"].reason == "the quorum was missed"
    with engine.connect() as connection:
        settled = select(stage_attempts).where(stage_attempts.c.stage == "run")
        assert len(connection.execute(settled).all()) == 2
