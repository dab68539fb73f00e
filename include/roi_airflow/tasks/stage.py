"""Around every stage: connect, load the run, record the attempt, translate errors for Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)
from sqlalchemy import Engine

from roi_airflow.metrics import measured
from roi_airflow.refusals import explicit_parameters
from roi_airflow.tasks.reasons import reason_of, retry_reason
from roi_forecast.config import asked_model_name
from roi_forecast.database.engine import create_database_engine
from roi_forecast.errors import (
    NothingToForecastError,
    RoiForecastError,
    RunConflictError,
    SourceUnavailableError,
)
from roi_forecast.runs.attempts import (
    Attempt,
    Ending,
    record_start,
    recorded,
    settle_runs,
    start_of_attempt,
)
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.settings import Settings

if TYPE_CHECKING:
    from roi_forecast.features.dataset import Dataset

_WAIT_FOR_OTHER_RUN = timedelta(seconds=30)
_ACTIVE = ["queued", "running"]


@dataclass(frozen=True)
class Installation:
    """The market database and the settings of this installation."""

    engine: Engine
    settings: Settings


@dataclass(frozen=True)
class Stage(Installation):
    """An installation, and the run of the current task."""

    run: ResolvedRun

    def load_dataset(self, dataset_id: str) -> Dataset:
        """Load one of the installation's datasets."""
        from roi_forecast.features.storage import load_dataset

        return load_dataset(self.settings.datasets_directory / dataset_id)

    def started_trying_at(self) -> datetime | None:
        """Return when the first attempt at the task began; None in the first attempt.

        A cleared task begins anew: its next attempt counts as the first.
        """
        task_instance: Any = get_current_context()["ti"]
        first = task_instance.max_tries - (task_instance.task.retries or 0) + 1
        if task_instance.try_number <= first:
            return None
        return start_of_attempt(self.engine, replace(_attempt(), number=first))


@contextmanager
def open_installation() -> Iterator[Installation]:
    """Yield the installation to a task; the task's errors decide what Airflow does next.

    An error that a retry could resolve stays as it is. Any other error of this project fails the
    task at once. A run that must wait for another one of its model name tries again later, and a
    task without anything to forecast is skipped. The duration or the failure is sent as a metric.
    """
    with measured(get_current_context()["ti"].task_id), _errors_for_airflow():
        settings = Settings.from_environment()
        engine = create_database_engine(settings.database_url)
        try:
            yield Installation(engine, settings)
        finally:
            engine.dispose()


@contextmanager
def begin_run() -> Iterator[Installation]:
    """Yield the installation to the task that resolves a run, after recording the run's start."""
    # Parsing a DAG file must not load its packages.
    from roi_forecast.database.migrate import require_current_schema

    with open_installation() as installation:
        engine, dag_run = installation.engine, get_current_context()["dag_run"]
        require_current_schema(engine)
        name = asked_model_name(given_parameters())
        record_start(engine, dag_run.run_id, dag_run.dag_id, name, now=datetime.now(UTC))
        with _recorded(engine):
            settle_runs(
                engine,
                is_active=lambda dag_id, run_id: _has_state(dag_id, run_id, _ACTIVE),
                has_succeeded=lambda dag_id, run_id: _has_state(dag_id, run_id, ["success"]),
            )
            yield installation


@contextmanager
def open_stage(*, last: bool = False, then_waits_for: str | None = None) -> Iterator[Stage]:
    """Yield the installation and the resolved run to a task; errors as in `open_installation`.

    Args:
        last: Whether the run is done once this stage has succeeded or was skipped.
        then_waits_for: What the stage waits for after this block, before it continues.
    """
    with (
        open_installation() as installation,
        _recorded(installation.engine, last=last, then_waits_for=then_waits_for),
    ):
        run = load_run(installation.engine, current_run_id())
        yield Stage(installation.engine, installation.settings, run)


def current_run_id() -> str:
    """Return the id of the current task's DAG run."""
    return get_current_context()["dag_run"].run_id


def due_moment() -> datetime:
    """Return the moment up to which the current run may use final bars.

    It is not the present: a run repeated later keeps its as-of date, and a backfill run has that of
    its session. A manual run without a logical date was due when it was triggered.
    """
    run = get_current_context()["dag_run"]
    ends = [run.run_after, run.data_interval_end]
    return min(moment for moment in ends if moment is not None)


def session_of_run() -> date | None:
    """Return the session that the current run was started for, None if for no certain one.

    A scheduled run, a backfill run and a manual run of a date have one, as the timetable says.
    """
    run = get_current_context()["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    if start is None or end is None or start == end:
        return None
    return start.astimezone(UTC).date()


def given_parameters() -> dict[str, Any]:
    """Return the given parameters of the run, including keys that are not in the form.

    Airflow accepts unknown keys in a conf, so they must reach the check of the configuration.
    """
    context = get_current_context()
    return explicit_parameters(context["dag_run"].conf or {}, context["dag"].params.dump())


def will_retry() -> bool:
    """Tell whether Airflow tries the current task again after an error that a retry may fix."""
    task_instance: Any = get_current_context()["ti"]
    retries_left: bool = task_instance.try_number <= task_instance.max_tries
    return retries_left


def is_run_active(run_id: str) -> bool:
    """Tell whether another run of the current DAG is queued or running."""
    return _has_state(get_current_context()["dag_run"].dag_id, run_id, _ACTIVE)


def activity_of(*dag_ids: str) -> Callable[[str], bool]:
    """Return a function that tells of a run id whether it is queued or running in the DAGs."""
    task_instance: Any = get_current_context()["ti"]
    # Mostly no DAG is active, so that no run needs a request of its own.
    active = [dag_id for dag_id in dag_ids if task_instance.get_dr_count(dag_id, states=_ACTIVE)]
    return lambda run_id: any(_has_state(dag_id, run_id, _ACTIVE) for dag_id in active)


def _has_state(dag_id: str, run_id: str, states: list[str]) -> bool:
    task_instance: Any = get_current_context()["ti"]
    count: int = task_instance.get_dr_count(dag_id, run_ids=[run_id], states=states)
    return count > 0


def _recorded(
    engine: Engine, *, last: bool = False, then_waits_for: str | None = None
) -> AbstractContextManager[None]:
    context = get_current_context()
    at_the_end = Ending("succeeded", ends_run=last)
    if then_waits_for is not None:
        at_the_end = Ending("waiting", then_waits_for)

    def after_error(error: BaseException) -> Ending:
        if isinstance(error, RunConflictError):
            return Ending("waiting", reason_of(error))
        if isinstance(error, NothingToForecastError):
            return Ending("skipped", reason_of(error), ends_run=last)
        is_transient = isinstance(error, SourceUnavailableError) or not isinstance(
            error, RoiForecastError
        )
        if is_transient and will_retry():
            return Ending("retrying", retry_reason(error, context))
        return Ending("failed", reason_of(error))

    return recorded(engine, _attempt(), at_the_end=at_the_end, after_error=after_error)


def _attempt() -> Attempt:
    context = get_current_context()
    task_instance: Any = context["ti"]
    index = task_instance.map_index
    return Attempt(
        run_id=context["dag_run"].run_id,
        stage=task_instance.task_id,
        map_index=-1 if index is None else index,
        number=task_instance.try_number,
    )


@contextmanager
def _errors_for_airflow() -> Iterator[None]:
    """Turn this project's errors into those that tell Airflow what to do next.

    Their messages contain all that a person needs, so the log shows no chain of causes.
    """
    try:
        yield
    except SourceUnavailableError as error:
        raise error from None
    except RunConflictError:
        later = datetime.now(UTC) + _WAIT_FOR_OTHER_RUN
        raise AirflowRescheduleException(later) from None  # type: ignore[no-untyped-call]
    except NothingToForecastError as error:
        raise AirflowSkipException(str(error)) from None
    except RoiForecastError as error:
        raise AirflowFailException(str(error)) from None
