"""The state of runs and of their tasks, read from Airflow's own database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, create_engine, text


@dataclass(frozen=True)
class TaskState:
    """One task instance as Airflow knows it."""

    task_id: str
    map_index: int
    state: str | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class RunState:
    """A run and its task instances at one moment."""

    run_id: str
    state: str
    tasks: tuple[TaskState, ...]

    @property
    def is_finished(self) -> bool:
        """Whether Airflow has nothing left to do for the run."""
        return self.state not in ("queued", "running")


def metadata_engine(url: str) -> Engine:
    """Return an engine for Airflow's database."""
    return create_engine(url, pool_size=1)


def read_run(engine: Engine, dag_id: str, run_id: str) -> RunState:
    """Return the present state of a run, its task instances in order of their start."""
    names = {"dag_id": dag_id, "run_id": run_id}
    with engine.connect() as connection:
        state = connection.scalar(
            text("SELECT state FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id"), names
        )
        rows = connection.execute(
            text(
                "SELECT task_id, map_index, state, start_date, end_date FROM task_instance "
                "WHERE dag_id = :dag_id AND run_id = :run_id "
                "ORDER BY start_date NULLS LAST, task_id, map_index"
            ),
            names,
        ).all()
    return RunState(run_id, state or "deleted", tuple(TaskState(*row) for row in rows))


def read_run_states(engine: Engine) -> list[str]:
    """Return the states of all runs in the order of their creation."""
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT state FROM dag_run ORDER BY id")))
