"""What the local commands read from Airflow's own database, and the little they set right in it.

The tables are declared with the columns used here only. Importing Airflow's models instead would
cost every command several seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.inherited import forget_postgres_settings

_metadata = MetaData()
_dag_run = Table(
    "dag_run",
    _metadata,
    Column("dag_id", Text),
    Column("run_id", Text),
    Column("logical_date", DateTime(timezone=True)),
    Column("state", Text),
    Column("triggered_by", Text),
    Column("start_date", DateTime(timezone=True)),
    Column("end_date", DateTime(timezone=True)),
)
_task_instance = Table(
    "task_instance",
    _metadata,
    Column("dag_id", Text),
    Column("run_id", Text),
    Column("task_id", Text),
    Column("map_index", Integer),
    Column("state", Text),
    Column("start_date", DateTime(timezone=True)),
    Column("end_date", DateTime(timezone=True)),
)
_slot_pool = Table(
    "slot_pool",
    _metadata,
    Column("pool", Text),
    Column("slots", Integer),
    Column("description", Text),
    Column("include_deferred", Boolean),
)
_revision = Table("alembic_version", _metadata, Column("version_num", Text))

_UNFINISHED_RUN = ("queued", "running")
_FINISHED_TASK = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True)
class TaskState:
    """One task instance as Airflow knows it.

    Attributes:
        task_id: The task.
        map_index: Position among the instances of a mapped task, or -1.
        state: Airflow's word, or None before the task was looked at.
        started_at: When it began to run, with time zone.
        ended_at: When it ended, with time zone.
    """

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
        return self.state not in _UNFINISHED_RUN


def metadata_engine(url: str) -> Engine:
    """Return an engine for Airflow's database."""
    forget_postgres_settings()
    return create_engine(url, pool_size=1)


def read_revision(engine: Engine) -> str | None:
    """Return the revision of Airflow's schema, or None before its first migration."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_revision.name):
            return None
        return connection.scalar(select(_revision.c.version_num))


def create_pools(engine: Engine, pools: Mapping[str, int]) -> None:
    """Create the pools that are missing; slots that a person has changed stay as they are.

    Args:
        engine: Airflow's database.
        pools: Slots by name of the pool.
    """
    rows = [
        {"pool": name, "slots": slots, "description": "", "include_deferred": False}
        for name, slots in pools.items()
    ]
    with engine.begin() as connection:
        connection.execute(insert(_slot_pool).on_conflict_do_nothing(), rows)


def find_run_id(engine: Engine, dag_id: str, logical_date: datetime) -> str | None:
    """Return the id of the run at a logical date, or None while there is none."""
    statement = select(_dag_run.c.run_id).where(
        _dag_run.c.dag_id == dag_id, _dag_run.c.logical_date == logical_date
    )
    with engine.connect() as connection:
        return connection.scalar(statement)


def read_run(engine: Engine, dag_id: str, run_id: str) -> RunState:
    """Return the present state of a run, its task instances in order of their start."""
    instance = _task_instance.c
    with engine.connect() as connection:
        state = connection.scalar(
            select(_dag_run.c.state).where(_dag_run.c.dag_id == dag_id, _dag_run.c.run_id == run_id)
        )
        rows = connection.execute(
            select(
                instance.task_id,
                instance.map_index,
                instance.state,
                instance.start_date,
                instance.end_date,
            )
            .where(instance.dag_id == dag_id, instance.run_id == run_id)
            .order_by(instance.start_date.nulls_last(), instance.task_id, instance.map_index)
        ).all()
    return RunState(run_id, state or "deleted", tuple(TaskState(*row) for row in rows))


def fail_abandoned_runs(engine: Engine) -> list[str]:
    """Mark the unfinished runs of killed `make run` commands as failed, and return their ids.

    Only for a moment in which no `make run` can be going: a scheduler would take such a run for its
    own, and the next run of the same model name would wait for its end.
    """
    now = datetime.now(UTC)
    run, instance = _dag_run.c, _task_instance.c
    abandoned = (run.triggered_by == "TEST") & run.state.in_(_UNFINISHED_RUN)
    with engine.begin() as connection:
        keys = connection.execute(select(run.dag_id, run.run_id).where(abandoned)).all()
        for dag_id, run_id in keys:
            connection.execute(
                update(_task_instance)
                .where(
                    instance.dag_id == dag_id,
                    instance.run_id == run_id,
                    instance.state.is_(None) | instance.state.not_in(_FINISHED_TASK),
                )
                .values(state="failed", end_date=now)
            )
            connection.execute(
                update(_dag_run)
                .where(run.dag_id == dag_id, run.run_id == run_id)
                .values(state="failed", end_date=now)
            )
    return [run_id for _, run_id in keys]
