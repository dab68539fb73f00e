"""One active run per model name: a run claims its name, and the next one waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Update, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.tables import runs
from roi_forecast.errors import PreflightError, RunConflictError
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)


def claim_run(
    engine: Engine, run: ResolvedRun, is_active: Callable[[str], bool], *, now: datetime
) -> None:
    """Store the resolved run and claim its model name; a run's second claim replaces its first.

    Args:
        engine: Market database.
        run: The run to store.
        is_active: Returns whether another run's id belongs to a queued or running run. If not,
            the holder was killed, failed or deleted, and its claim is taken over.
        now: The present, with time zone.

    Raises:
        PreflightError: A stored backtest or search has the same id.
        RunConflictError: Another active run holds the name.
    """
    with engine.begin() as connection:
        lock_until_commit(connection, "claim", run.model_name)
        holder = connection.execute(
            select(runs.c.run_id, runs.c.claimed_at).where(
                runs.c.model_name == run.model_name,
                runs.c.released_at.is_(None),
                runs.c.run_id != run.run_id,
            )
        ).one_or_none()
        if holder is not None:
            if is_active(holder.run_id):
                raise RunConflictError(
                    f"run {holder.run_id!r} of model name {run.model_name!r} is still going "
                    f"(since {holder.claimed_at:%Y-%m-%d %H:%M} UTC); this run waits for its end"
                )
            logger.warning("run %s ended without releasing its claim; taken over", holder.run_id)
            connection.execute(_release(holder.run_id, now))
        _store(connection, run, claimed_at=now, released_at=None)


def store_unclaimed(engine: Engine, run: ResolvedRun, *, now: datetime) -> None:
    """Store a resolved backtest or search, which claims no name, or replace it.

    Args:
        engine: Market database.
        run: The run to store.
        now: The present, with time zone.

    Raises:
        PreflightError: A run of another kind has the same id.
    """
    with engine.begin() as connection:
        _store(connection, run, claimed_at=now, released_at=now)


def release_run(engine: Engine, run_id: str, *, now: datetime) -> None:
    """Release the model name for the next run; repeating it changes nothing."""
    with engine.begin() as connection:
        connection.execute(_release(run_id, now))


def _store(
    connection: Connection, run: ResolvedRun, *, claimed_at: datetime, released_at: datetime | None
) -> None:
    values = {
        "model_name": run.model_name,
        "source": run.source_key,
        "as_of_date": run.as_of_date,
        "published_at": run.published_at,
        "resolved": run.model_dump(mode="json"),
        "claimed_at": claimed_at,
        "released_at": released_at,
    }
    statement = insert(runs).values(run_id=run.run_id, **values)
    # One statement, because two runs of one id may be resolved at the same time under two names.
    stored = connection.scalar(
        statement.on_conflict_do_update(
            index_elements=[runs.c.run_id],
            set_=values,
            where=_kind_of(runs.c.resolved) == _kind_of(statement.excluded.resolved),
        ).returning(runs.c.run_id)
    )
    if stored is None:
        known = connection.scalar(
            select(_kind_of(runs.c.resolved)).where(runs.c.run_id == run.run_id)
        )
        raise PreflightError(
            f"run id: received {run.run_id!r}, which belongs to a {known}; start this run "
            "under another run id"
        )


def _kind_of(resolved: ColumnElement[Any]) -> ColumnElement[str]:
    """Return whether a resolved run is a backtest, a search or a daily run."""
    return case(
        (func.jsonb_typeof(resolved["backtest"]) == "object", "backtest"),
        (func.jsonb_typeof(resolved["tuning"]) == "object", "search"),
        else_="daily run",
    )


def _release(run_id: str, now: datetime) -> Update:
    return (
        update(runs)
        .where(runs.c.run_id == run_id, runs.c.released_at.is_(None))
        .values(released_at=now)
    )
