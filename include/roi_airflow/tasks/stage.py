"""What every task of a run does around its stage: connect, load the run, word its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)
from sqlalchemy import Engine

from roi_airflow.metrics import measured
from roi_airflow.parameters import explicit_parameters
from roi_airflow.tasks.reasons import reason_of, reason_to_try_again
from roi_forecast.config import asked_model_name
from roi_forecast.database.engine import create_database_engine
from roi_forecast.errors import (
    NothingToForecastError,
    RoiForecastError,
    RunConflictError,
    SourceUnavailableError,
)
from roi_forecast.runs.attempts import Attempt, Ending, record_start, recorded, settle_runs
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.settings import Settings

if TYPE_CHECKING:
    from roi_forecast.features.dataset import Dataset

_WAIT_FOR_OTHER_RUN = timedelta(seconds=30)


@dataclass(frozen=True)
class Installation:
    """The market database and the places of this installation."""

    engine: Engine
    settings: Settings


@dataclass(frozen=True)
class Stage(Installation):
    """An installation, and the run that the present task belongs to."""

    run: ResolvedRun

    def load_dataset(self, dataset_id: str) -> Dataset:
        """Load one of the installation's datasets."""
        from roi_forecast.features.storage import load_dataset

        return load_dataset(self.settings.datasets_directory / dataset_id)


@contextmanager
def open_installation() -> Iterator[Installation]:
    """Give the installation to a task; its errors decide what Airflow does next.

    An error that a retry could mend stays as it is. Any other error of this project fails the
    task at once, with its message as the last line. A run that has to wait for another one of its
    model name looks again later, and one that has nothing to forecast is skipped. How long the
    stage took, or that it failed, is sent as a metric.
    """
    with measured(get_current_context()["ti"].task_id), _worded_errors():
        settings = Settings.from_environment()
        engine = create_database_engine(settings.database_url)
        try:
            yield Installation(engine, settings)
        finally:
            engine.dispose()


@contextmanager
def begin_run() -> Iterator[Installation]:
    """Give the installation to the task that resolves a run; from here on the run is on record."""
    # Its packages are not for the parsing of a DAG file.
    from roi_forecast.database.migrate import require_current_schema

    with open_installation() as installation:
        engine, dag_run = installation.engine, get_current_context()["dag_run"]
        require_current_schema(engine)
        name = asked_model_name(given_parameters())
        record_start(engine, dag_run.run_id, dag_run.dag_id, name, now=datetime.now(UTC))
        with _recorded(engine):
            settle_runs(
                engine,
                lambda dag_id, run_id: _counts(dag_id, run_id, "queued", "running"),
                lambda dag_id, run_id: _counts(dag_id, run_id, "success"),
            )
            yield installation


@contextmanager
def open_stage(*, last: bool = False, then_waits_for: str | None = None) -> Iterator[Stage]:
    """Give the installation and the resolved run to a task; errors as in `open_installation`.

    Args:
        last: Whether the run is done once this stage has succeeded, or had nothing to do.
        then_waits_for: What the stage waits for after this block, before it continues.
    """
    with (
        open_installation() as installation,
        _recorded(installation.engine, last=last, then_waits_for=then_waits_for),
    ):
        run = load_run(installation.engine, current_run_id())
        yield Stage(installation.engine, installation.settings, run)


def current_run_id() -> str:
    """Return the id of the DAG run that the present task belongs to."""
    return get_current_context()["dag_run"].run_id


def due_moment() -> datetime:
    """Return the moment whose final bars the present run may know.

    Not the present: a run repeated later keeps its as-of date, and one of a backfill has that of
    its session. A manual run without a logical date was due when it was triggered.
    """
    run = get_current_context()["dag_run"]
    ends = [run.run_after, run.data_interval_end]
    return min(moment for moment in ends if moment is not None)


def given_parameters() -> dict[str, Any]:
    """Return the parameters that the run was given; keys that the form lacks are among them.

    Airflow lets unknown keys of a conf pass, so they must reach the check of the configuration.
    """
    context = get_current_context()
    return explicit_parameters(context["dag_run"].conf or {}, context["dag"].params.dump())


def is_run_active(run_id: str) -> bool:
    """Tell whether another run of the present DAG is queued or running."""
    return _counts(get_current_context()["dag_run"].dag_id, run_id, "queued", "running")


def activity_of(*dag_ids: str) -> Callable[[str], bool]:
    """Return what tells of a run's id whether a run of one of the DAGs is queued or running."""
    task_instance: Any = get_current_context()["ti"]
    states = ["queued", "running"]
    # Mostly none is going: then no run has to be asked for.
    going = [dag_id for dag_id in dag_ids if task_instance.get_dr_count(dag_id, states=states)]

    def is_active(run_id: str) -> bool:
        return any(
            task_instance.get_dr_count(dag_id, run_ids=[run_id], states=states) for dag_id in going
        )

    return is_active


def _counts(dag_id: str, run_id: str, *states: str) -> bool:
    task_instance: Any = get_current_context()["ti"]
    count: int = task_instance.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=list(states))
    return count > 0


def _recorded(
    engine: Engine, *, last: bool = False, then_waits_for: str | None = None
) -> AbstractContextManager[None]:
    context = get_current_context()
    task_instance: Any = context["ti"]
    position = task_instance.map_index
    attempt = Attempt(
        run_id=context["dag_run"].run_id,
        stage=task_instance.task_id,
        map_index=-1 if position is None else position,
        number=task_instance.try_number,
    )
    at_the_end = (
        Ending("succeeded", ends_run=last)
        if then_waits_for is None
        else Ending("waiting", then_waits_for)
    )

    def after_error(error: BaseException) -> Ending:
        if isinstance(error, RunConflictError):
            return Ending("waiting", reason_of(error))
        if isinstance(error, NothingToForecastError):
            return Ending("skipped", reason_of(error), ends_run=last)
        may_pass = isinstance(error, SourceUnavailableError) or not isinstance(
            error, RoiForecastError
        )
        if may_pass and task_instance.try_number <= task_instance.max_tries:
            return Ending("retrying", reason_to_try_again(error, context))
        return Ending("failed", reason_of(error))

    return recorded(engine, attempt, at_the_end=at_the_end, after_error=after_error)


@contextmanager
def _worded_errors() -> Iterator[None]:
    """Turn this project's errors into those by which Airflow knows what to do next.

    Their messages say all that a person needs, so no chain of causes follows them in the log.
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
