"""Each attempt at a stage: its start, its ending, and whether it is alive.

The process of an attempt holds an advisory lock until it ends. PostgreSQL drops the lock however
the process ends, so an attempt without an ending and without a lock has died.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, Engine, Row, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from roi_forecast.database.tables import run_starts, stage_attempts, stage_endings
from roi_forecast.database.views import view_columns

logger = logging.getLogger(__name__)

ATTEMPT_LOCKS = 0x524F49
"""First key of the locks that living attempts hold; the second key is the attempt's id."""

WHOLE_RUN = "run"
"""Takes the place of a stage if the run as a whole was ended from outside."""

# Seconds until PostgreSQL drops the connection, and with it the locks, of a silent machine.
_KEEPALIVES = {
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}

_NEWEST_RUNS = 20

Outcome = Literal["succeeded", "skipped", "waiting", "retrying", "failed"]


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run at a stage.

    Attributes:
        run_id: The run.
        stage: The stage.
        map_index: Position among the stage's instances, or -1 if there is only one.
        number: Number of the attempt, from 1.
    """

    run_id: str
    stage: str
    map_index: int
    number: int


@dataclass(frozen=True)
class Ending:
    """How an attempt ended.

    Attributes:
        outcome: Another attempt follows `waiting` and `retrying`.
        reason: Why, in one line, or None.
        ends_run: Whether the run is done with this attempt.
    """

    outcome: Outcome
    reason: str | None = None
    ends_run: bool = False


def record_start(
    engine: Engine, run_id: str, dag_id: str, model_name: str | None, *, now: datetime
) -> None:
    """Store that a run started; a run that starts again keeps the time of its first start.

    Args:
        engine: Market database.
        run_id: The run.
        dag_id: Its DAG.
        model_name: The requested name, if it can be read.
        now: The present, with time zone.
    """
    values = {"run_id": run_id, "dag_id": dag_id, "model_name": model_name, "started_at": now}
    with engine.begin() as connection:
        connection.execute(insert(run_starts).values(values).on_conflict_do_nothing())


@contextmanager
def recorded(
    engine: Engine,
    attempt: Attempt,
    *,
    at_the_end: Ending,
    after_error: Callable[[BaseException], Ending],
) -> Iterator[None]:
    """Store the start and the ending of an attempt around a block.

    Args:
        engine: Market database; one of its connections is held until the end.
        attempt: The attempt.
        at_the_end: Its ending if nothing is raised.
        after_error: Returns its ending after an error.
    """
    with engine.connect() as connection:
        attempt_id = _begin(connection, attempt)
        try:
            yield
        except BaseException as error:
            _end(engine, attempt_id, after_error(error))
            raise
        else:
            _end(engine, attempt_id, at_the_end)
        finally:
            _release(connection, attempt_id)


def start_of_attempt(engine: Engine, attempt: Attempt) -> datetime | None:
    """Return when an attempt started, None if it never did."""
    column = stage_attempts.c
    with engine.connect() as connection:
        started: datetime | None = connection.scalar(
            select(func.min(column.started_at)).where(
                column.run_id == attempt.run_id,
                column.stage == attempt.stage,
                column.map_index == attempt.map_index,
                column.attempt == attempt.number,
            )
        )
    return started


def settle_runs(
    engine: Engine, is_active: Callable[[str, str], bool], has_succeeded: Callable[[str, str], bool]
) -> None:
    """Store the ends of those newest runs that a person ended in Airflow, outside of any stage.

    Args:
        engine: Market database.
        is_active: Returns whether the run of a DAG's and a run's id is queued or running.
        has_succeeded: Returns whether that run counts as a success.
    """
    for run_id, dag_id, state in _unsettled(engine):
        if has_succeeded(dag_id, run_id):
            ending = Ending("succeeded", "it was marked as a success from outside", ends_run=True)
        elif state == "waiting" and not is_active(dag_id, run_id):
            ending = Ending("failed", "it was marked as failed or deleted from outside")
        else:
            continue
        with engine.begin() as connection:
            attempt_id = _store(connection, Attempt(run_id, WHOLE_RUN, -1, 1))
            _store_ending(connection, attempt_id, ending)
        logger.info("run %s: %s", run_id, ending.reason)


def _unsettled(engine: Engine) -> list[tuple[str, str, str]]:
    history = view_columns("run_history", "run_id", "dag_id", "state")
    newest = (
        select(run_starts.c.run_id)
        .order_by(run_starts.c.started_at.desc(), run_starts.c.run_id)
        .limit(_NEWEST_RUNS)
    )
    statement = select(history.c.run_id, history.c.dag_id, history.c.state).where(
        history.c.run_id.in_(newest), history.c.state.in_(["waiting", "failed"])
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(statement)]


def _begin(connection: Connection, attempt: Attempt) -> int:
    for name, value in _KEEPALIVES.items():
        connection.execute(select(func.set_config(name, value, literal(value=False))))
    attempt_id = _resume(connection, attempt) or _store(connection, attempt)
    connection.execute(select(func.pg_advisory_lock(ATTEMPT_LOCKS, attempt_id)))
    connection.commit()
    return attempt_id


def _resume(connection: Connection, attempt: Attempt) -> int | None:
    """Return the id of the same attempt if it ended by waiting and no other attempt followed.

    A run can wait for hours for another run, and looks twice a minute.
    """
    columns = stage_attempts.c
    newest = connection.execute(
        select(columns.attempt_id, columns.stage, columns.map_index, columns.attempt)
        .where(columns.run_id == attempt.run_id)
        .order_by(columns.attempt_id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or newest[1:] != (attempt.stage, attempt.map_index, attempt.number):
        return None
    ending = _newest_ending(connection, newest.attempt_id)
    return newest.attempt_id if ending is not None and ending.outcome == "waiting" else None


def _store(connection: Connection, attempt: Attempt) -> int:
    values = {
        "run_id": attempt.run_id,
        "stage": attempt.stage,
        "map_index": attempt.map_index,
        "attempt": attempt.number,
        "started_at": datetime.now(UTC),
    }
    statement = insert(stage_attempts).values(values).returning(stage_attempts.c.attempt_id)
    attempt_id: int = connection.execute(statement).scalar_one()
    return attempt_id


def _end(engine: Engine, attempt_id: int, ending: Ending) -> None:
    try:
        with engine.begin() as connection:
            _store_ending(connection, attempt_id, ending)
    except SQLAlchemyError as error:
        # The stage's own error matters more; without an ending the attempt counts as killed.
        logger.warning("the ending of this attempt could not be stored: %s", error)


def _store_ending(connection: Connection, attempt_id: int, ending: Ending) -> None:
    """Store the ending of an attempt, unless it repeats the newest one."""
    if _newest_ending(connection, attempt_id) == (ending.outcome, ending.reason):
        return
    values = {"attempt_id": attempt_id, "ended_at": datetime.now(UTC), **vars(ending)}
    connection.execute(insert(stage_endings).values(values))


def _newest_ending(connection: Connection, attempt_id: int) -> Row[str, str | None] | None:
    return connection.execute(
        select(stage_endings.c.outcome, stage_endings.c.reason)
        .where(stage_endings.c.attempt_id == attempt_id)
        .order_by(stage_endings.c.ending_id.desc())
        .limit(1)
    ).one_or_none()


def _release(connection: Connection, attempt_id: int) -> None:
    with suppress(SQLAlchemyError):
        connection.execute(select(func.pg_advisory_unlock(ATTEMPT_LOCKS, attempt_id)))
    # Close the connection, because its settings belong to this attempt.
    connection.invalidate()
