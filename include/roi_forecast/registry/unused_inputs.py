"""Datasets and networks of backtests that no version, no run and no recent backtest needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import datasets, model_versions, runs
from roi_forecast.files.artifacts import whole_folders
from roi_forecast.files.leftovers import newest_change

_RECENT = timedelta(days=7)
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class ActiveRun:
    """A backtest or a search that is queued or running."""

    run_id: str
    as_of_date: date
    claimed_at: datetime


def find_active(connection: Connection, is_active: Callable[[str], bool]) -> list[ActiveRun]:
    """Return the backtests and searches that are active; they claim no model name.

    Args:
        connection: Market database.
        is_active: Tells of such a run's id whether it is still active.
    """
    table = runs.c
    unclaimed = connection.execute(
        select(table.run_id, table.as_of_date, table.claimed_at).where(
            or_(
                func.jsonb_typeof(table.resolved["backtest"]) == "object",
                func.jsonb_typeof(table.resolved["tuning"]) == "object",
            )
        )
    )
    return [ActiveRun(*row) for row in unclaimed if is_active(row.run_id)]


def find_old_datasets(
    connection: Connection, directory: DataPath, active: Sequence[ActiveRun], now: datetime
) -> list[DataPath]:
    """Return the datasets of no version that has files and of no run that may still be active.

    Args:
        connection: Market database.
        directory: Folder of the datasets.
        active: Backtests and searches that are.
        now: The present, with time zone.
    """
    # One that failed a moment ago is mostly started again.
    recent = select(runs.c.as_of_date).where(
        or_(runs.c.released_at.is_(None), runs.c.claimed_at > now - _RECENT)
    )
    trained = select(model_versions.c.dataset_id).where(model_versions.c.files_deleted_at.is_(None))
    needed = connection.scalars(
        select(datasets.c.dataset_id).where(
            or_(
                datasets.c.dataset_id.in_(trained),
                datasets.c.as_of_date.in_(recent),
                datasets.c.as_of_date.in_([run.as_of_date for run in active]),
            )
        )
    ).all()
    known = set(connection.scalars(select(datasets.c.dataset_id)))
    # One that is not registered yet was written by a run a moment ago.
    return [path for path in whole_folders(directory) if path.name in known - set(needed)]


def find_old_networks(
    connection: Connection, directory: DataPath, active: Sequence[ActiveRun], keep_backtests: int
) -> list[DataPath]:
    """Return the networks that none of the newest backtests used, nor one that is active.

    Backtests share their networks, and each marks with its time those that it uses.

    Args:
        connection: Market database.
        directory: Folder of the networks.
        active: Backtests and searches that are.
        keep_backtests: Newest backtests whose networks are kept.
    """
    begun = connection.scalars(
        select(runs.c.claimed_at)
        .where(func.jsonb_typeof(runs.c.resolved["backtest"]) == "object")
        .order_by(runs.c.claimed_at.desc())
        .limit(keep_backtests)
    ).all()
    if len(begun) < keep_backtests:
        return []
    oldest = min([*begun, *(run.claimed_at for run in active)])
    # A worker's clock and that of the file server may differ.
    kept_since = (oldest - _CLOCKS_DIFFER).timestamp()
    return [path for path in whole_folders(directory) if newest_change(path) < kept_since]
