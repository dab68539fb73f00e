from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)
from sqlalchemy import Engine, select

from roi_airflow.tasks import stage
from roi_airflow.tasks.stage import activity_of, begin_run, open_installation, session_of_run
from roi_forecast.database.tables import stage_attempts, stage_endings
from roi_forecast.errors import (
    ConfigError,
    NothingToForecastError,
    PriceCheckError,
    RunConflictError,
    SourceUnavailableError,
)
from roi_forecast.reading.runs import Run


class TaskInstance:
    """Counts DAG runs as Airflow does, and how often it is asked."""

    def __init__(self, active: dict[str, set[str]]) -> None:
        self.active = active
        self.asked = 0

    def get_dr_count(
        self, dag_id: str, *, states: list[str], run_ids: list[str] | None = None
    ) -> int:
        assert states == ["queued", "running"]
        self.asked += 1
        active = self.active.get(dag_id, set())
        return len(active if run_ids is None else active & set(run_ids))


def count_in(monkeypatch: pytest.MonkeyPatch, active: dict[str, set[str]]) -> TaskInstance:
    task_instance = TaskInstance(active)
    monkeypatch.setattr(stage, "get_current_context", lambda: {"ti": task_instance})
    return task_instance


def test_a_run_of_any_of_the_dags_counts_as_active(monkeypatch: pytest.MonkeyPatch) -> None:
    count_in(monkeypatch, {"backtest": {"a"}, "search": {"b"}, "daily": {"c"}})
    is_active = activity_of("backtest", "search")
    assert [is_active(run_id) for run_id in "abcd"] == [True, True, False, False]


def test_no_run_is_looked_up_if_none_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    task_instance = count_in(monkeypatch, {})
    is_active = activity_of("backtest", "search")
    assert not any(is_active(str(number)) for number in range(100))
    assert task_instance.asked == 2


@pytest.mark.parametrize(
    ("start", "end", "session"),
    [
        ("2024-12-27 00:00", "2024-12-27 22:15", date(2024, 12, 27)),
        # Before the opening: due on the Monday after.
        ("2024-12-27 00:00", "2024-12-30 02:45", date(2024, 12, 27)),
        # Triggered at a moment.
        ("2024-12-27 10:30", "2024-12-27 10:30", None),
        (None, None, None),
    ],
)
def test_a_run_of_an_interval_was_started_for_the_session_at_its_start(
    start: str | None, end: str | None, session: date | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = [
        None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=UTC)
        for moment in (start, end)
    ]
    run = SimpleNamespace(data_interval_start=bounds[0], data_interval_end=bounds[1])
    monkeypatch.setattr(stage, "get_current_context", lambda: {"dag_run": run})
    assert session_of_run() == session


@pytest.fixture
def task(market_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A task in the second of three attempts of a run."""
    monkeypatch.setenv("ROI_DATABASE_URL", market_url)
    monkeypatch.setenv("ROI_DATA_DIRECTORY", str(tmp_path))
    task_instance = SimpleNamespace(task_id="forecast", map_index=-1, try_number=2, max_tries=2)
    task_instance.get_dr_count = lambda **_: 0
    context = {
        "ti": task_instance,
        "task": SimpleNamespace(retry_delay=timedelta(seconds=30)),
        "dag_run": SimpleNamespace(
            run_id="run", dag_id="daily_roi_forecast", conf={"model_name": "mine", "epoch": 3}
        ),
        "dag": SimpleNamespace(params=SimpleNamespace(dump=lambda: {"epochs": 5})),
    }
    monkeypatch.setattr(stage, "get_current_context", lambda: context)
    return task_instance


@pytest.mark.parametrize(
    ("try_number", "max_tries", "first"),
    # The first attempt, its retry, the first after the task was cleared, and the retry of that one.
    [(1, 3, None), (2, 3, 1), (5, 7, None), (6, 7, 5)],
)
def test_a_retry_knows_when_the_first_attempt_since_the_task_was_cleared_began(
    try_number: int,
    max_tries: int,
    first: int | None,
    task: SimpleNamespace,
    market_engine: Engine,
) -> None:
    task.task, task.max_tries = SimpleNamespace(retries=3), max_tries
    for number in range(1, try_number + 1):
        task.try_number = number
        with open_installation() as installation, stage._recorded(installation.engine):
            pass
    columns = stage_attempts.c
    with market_engine.connect() as connection:
        began = dict(connection.execute(select(columns.attempt, columns.started_at)).all())
    with open_installation() as installation:
        current = stage.Stage(installation.engine, installation.settings, run=None)  # type: ignore[arg-type]
        assert current.started_trying_at() == (None if first is None else began[first])


def ended(market_engine: Engine) -> tuple[Any, ...]:
    columns = stage_endings.c
    with market_engine.connect() as connection:
        row = connection.execute(select(columns.outcome, columns.reason, columns.ends_run)).one()
    return tuple(row)


def fail_with(error: BaseException, *, last: bool = False) -> None:
    with open_installation() as installation, stage._recorded(installation.engine, last=last):
        try:
            raise LookupError("a cause")
        except LookupError:
            raise error  # noqa: B904, the cause must not appear


@pytest.mark.parametrize(
    ("error", "raised", "ending"),
    [
        (
            RunConflictError("run 'x' is still running"),
            AirflowRescheduleException,
            ("waiting", "run 'x' is still running", False),
        ),
        (
            NothingToForecastError("no version serves"),
            AirflowSkipException,
            ("skipped", "no version serves", True),
        ),
        (
            PriceCheckError("the quorum was missed"),
            AirflowFailException,
            ("failed", "the quorum was missed", False),
        ),
    ],
)
def test_an_error_of_this_project_has_no_cause_in_the_log_and_is_recorded_by_its_meaning(
    task: SimpleNamespace,
    market_engine: Engine,
    error: Exception,
    raised: type[Exception],
    ending: tuple[Any, ...],
) -> None:
    with pytest.raises(raised) as found:
        fail_with(error, last=True)
    assert found.value.__cause__ is None
    assert found.value.__suppress_context__
    assert ended(market_engine) == ending


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SourceUnavailableError("no answer"), "no answer"),
        (KeyError("close"), "KeyError: 'close'"),
        (KeyboardInterrupt("a time limit"), "KeyboardInterrupt: a time limit"),
    ],
)
def test_a_transient_error_is_retried_while_attempts_are_left(
    task: SimpleNamespace, market_engine: Engine, error: BaseException, reason: str
) -> None:
    with pytest.raises(type(error)):
        fail_with(error)
    outcome, words, _ = ended(market_engine)
    assert outcome == "retrying"
    assert words.startswith("attempt 2 of 3 failed, the next starts at about ")
    assert words.endswith(f" UTC: {reason}")


def test_the_last_attempt_fails_for_good(task: SimpleNamespace, market_engine: Engine) -> None:
    task.try_number = 3
    with pytest.raises(SourceUnavailableError) as found:
        fail_with(SourceUnavailableError("no answer"))
    assert found.value.__suppress_context__
    assert ended(market_engine) == ("failed", "no answer", False)


def test_a_run_is_recorded_under_its_name_before_its_parameters_are_checked(
    task: SimpleNamespace, market_engine: Engine
) -> None:
    with pytest.raises(AirflowFailException), begin_run():
        raise ConfigError("epoch: unknown")
    with market_engine.connect() as connection:
        (found,) = connection.execute(select(Run.view)).all()
    assert (found.run_id, found.model_name, found.state) == ("run", "mine", "failed")
    assert (found.failed_stage, found.reason) == ("forecast", "epoch: unknown")
