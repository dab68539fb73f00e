"""What every task of a run does around its stage: connect, load the run, word its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)
from sqlalchemy import Engine

from roi_airflow.metrics import measured
from roi_airflow.parameters import explicit_parameters
from roi_forecast.database.engine import create_database_engine
from roi_forecast.errors import (
    NothingToForecastError,
    RoiForecastError,
    RunConflictError,
    SourceUnavailableError,
)
from roi_forecast.runs.resolved_run import ResolvedRun, load_run
from roi_forecast.settings import Settings

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
def open_stage() -> Iterator[Stage]:
    """Give the installation and the resolved run to a task; errors as in `open_installation`."""
    with open_installation() as installation:
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
    """Return the parameters that the run was given; keys that the form lacks are kept.

    Airflow lets unknown keys of a conf pass, so they must reach the check of the configuration.
    """
    context = get_current_context()
    return explicit_parameters(context["dag_run"].conf or {}, context["dag"].params.dump())


def is_run_active(run_id: str) -> bool:
    """Tell whether another run of the present DAG is queued or running."""
    context = get_current_context()
    task_instance: Any = context["ti"]
    count: int = task_instance.get_dr_count(
        dag_id=context["dag_run"].dag_id, run_ids=[run_id], states=["queued", "running"]
    )
    return count > 0


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


@contextmanager
def _worded_errors() -> Iterator[None]:
    """Turn this project's errors into those by which Airflow knows what to do next."""
    try:
        yield
    except SourceUnavailableError:
        raise
    except RunConflictError as error:
        later = datetime.now(UTC) + _WAIT_FOR_OTHER_RUN
        raise AirflowRescheduleException(later) from error  # type: ignore[no-untyped-call]
    except NothingToForecastError as error:
        raise AirflowSkipException(str(error)) from error
    except RoiForecastError as error:
        raise AirflowFailException(str(error)) from error
