"""Retention: which files of versions, candidates, datasets and backtests stay.

What a version was, what it scored over all assets and what it forecast stays known. Its scores
by asset go with its files: of thousands of assets a candidate has half a million a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, func, or_, select, update

from roi_forecast.backtest.files import networks_directory
from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import datasets, evaluations, model_versions, promotions, runs
from roi_forecast.errors import ConfigError
from roi_forecast.files.artifacts import PLOTS_DIRECTORY, delete_folder, whole_folders
from roi_forecast.files.leftovers import newest_change, sweep_leftovers
from roi_forecast.registry.training_inputs import candidate_path
from roi_forecast.registry.unused_inputs import (
    find_active,
    find_old_datasets,
    find_old_networks,
)
from roi_forecast.serving.champion import find_predecessor, find_undisputed, lock_champion
from roi_forecast.settings import Settings

logger = logging.getLogger(__name__)

MIN_VERSIONS = 2
"""The champion and the version that served before it are kept in any case."""


@dataclass(frozen=True)
class Pruned:
    """What retention deleted.

    Attributes:
        versions: Published versions whose files are gone.
        candidates: Folders of candidates that are gone.
        datasets: Datasets whose files are gone.
        networks: Networks of backtests that are gone.
        leftovers: What killed processes had left half-written.
        freed_bytes: What they took on disk.
    """

    versions: int
    candidates: int
    datasets: int
    networks: int
    leftovers: int
    freed_bytes: int


def prune_registry(
    engine: Engine,
    settings: Settings,
    *,
    keep_versions: int,
    keep_candidates: int,
    keep_backtests: int,
    is_active: Callable[[str], bool],
    now: datetime,
) -> Pruned:
    """Delete files that nothing needs any more, and scores by asset; safe to repeat.

    Of each model name the newest versions that served stay, the champion and the version before it
    among them in any case. So do the newest candidates, and those of runs that are still active. A
    dataset goes with the last version that was trained on it, once no run of its as-of date is
    active or was resolved for a week. The networks that only older backtests used go, their figures
    and plots stay. What killed processes left half-written or half-deleted goes when
    it is a day old, after a week where another host left it.

    Args:
        engine: Market database.
        settings: Where this installation keeps things.
        keep_versions: Published versions to keep of each model name, at least 2.
        keep_candidates: Folders of candidates to keep of each model name.
        keep_backtests: Newest backtests, at least 1, whose networks are kept.
        is_active: Tells of the id of a backtest or a search whether it is still active.
        now: The present, with time zone.

    Raises:
        ConfigError: Fewer than the champion and the version before it would stay, or no backtest.
    """
    if keep_versions < MIN_VERSIONS or keep_candidates < 0 or keep_backtests < 1:
        raise ConfigError(
            f"keep_versions: received {keep_versions}, keep_candidates: received "
            f"{keep_candidates}, keep_backtests: received {keep_backtests}; allowed are at least "
            f"{MIN_VERSIONS}, 0 and 1"
        )
    models, networks = settings.models_directory, networks_directory(settings.backtests_directory)
    swept = sweep_leftovers(
        (
            models,
            settings.datasets_directory,
            settings.backtests_directory,
            settings.tuning_directory,
        )
    )
    with engine.connect() as connection:
        names = connection.scalars(select(model_versions.c.model_name).distinct()).all()
    versions: list[DataPath] = []
    candidates: list[DataPath] = []
    plots: list[DataPath] = []
    for name in sorted(names):
        with engine.begin() as connection:
            lock_champion(connection, name)
            old_versions = _old_versions(connection, models, name, keep_versions)
            old_candidates = _old_candidates(connection, models, name, keep_candidates)
            # The row is marked first: a crash leaves files without use, never a use without files.
            marked = _mark(connection, models, [*old_versions, *old_candidates], now)
            _delete_scores_by_asset(connection, marked)
            plots += _old_plots(connection, models, name)
        versions += old_versions
        candidates += old_candidates
    with engine.connect() as connection:
        active = find_active(connection, is_active)
        old_datasets = find_old_datasets(connection, settings.datasets_directory, active, now)
        old_networks = find_old_networks(connection, networks, active, keep_backtests)
    unused = (*versions, *candidates, *plots, *old_datasets, *old_networks)
    pruned = Pruned(
        versions=len(versions),
        candidates=len(candidates),
        datasets=len(old_datasets),
        networks=len(old_networks),
        leftovers=swept.count,
        freed_bytes=swept.freed_bytes + sum(_delete(path) for path in unused),
    )
    logger.info(
        "deleted the files of %d versions, %d candidates, %d datasets, %d networks of backtests "
        "and %d leftovers of killed processes: %.1f MB",
        pruned.versions,
        pruned.candidates,
        pruned.datasets,
        pruned.networks,
        pruned.leftovers,
        pruned.freed_bytes / 1e6,
    )
    return pruned


def _old_versions(
    connection: Connection, models_directory: DataPath, model_name: str, keep: int
) -> list[DataPath]:
    table = model_versions.c
    served_last = func.max(promotions.c.id)
    rows = connection.execute(
        select(table.version_id, table.state)
        .join_from(
            model_versions, promotions, promotions.c.version_id == table.version_id, isouter=True
        )
        .where(table.model_name == model_name)
        .group_by(table.version_id)
        .order_by(served_last.desc().nulls_last(), table.created_at.desc())
    ).all()
    # Where a person goes back to, and where a run does by itself: mostly the same version.
    before = {find_predecessor(connection, model_name)}
    before |= set(find_undisputed(connection, model_name)[:1])
    needed = [row.version_id for row in rows if row.state == "champion" or row.version_id in before]
    rest = [row.version_id for row in rows if row.version_id not in needed]
    kept = {*needed, *rest[: max(0, keep - len(needed))]}
    found = whole_folders(models_directory / model_name / "versions")
    # A folder without a row was published by a promotion that never reached the database.
    return [path for path in found if path.name not in kept]


def _old_plots(
    connection: Connection, models_directory: DataPath, model_name: str
) -> list[DataPath]:
    """Return the pictures of versions without files."""
    table = model_versions.c
    kept = connection.scalars(
        select(table.version_id).where(
            table.model_name == model_name, table.files_deleted_at.is_(None)
        )
    ).all()
    found = whole_folders(models_directory / model_name / PLOTS_DIRECTORY)
    return [path for path in found if path.name not in kept]


def _old_candidates(
    connection: Connection, models_directory: DataPath, model_name: str, keep: int
) -> list[DataPath]:
    table = model_versions.c
    active = connection.execute(
        select(runs.c.run_id, runs.c.as_of_date).where(
            runs.c.released_at.is_(None), runs.c.model_name == model_name
        )
    ).all()
    # A run that is active may use the candidate of an earlier one, trained from the same inputs.
    used = connection.scalars(
        select(table.path)
        .join_from(model_versions, datasets)
        .where(
            table.model_name == model_name,
            or_(
                table.state == "champion",
                datasets.c.as_of_date.in_([run.as_of_date for run in active]),
            ),
        )
    )
    needed = {
        models_directory / candidate_path(model_name, run.run_id).as_posix() for run in active
    }
    needed |= {models_directory / path for path in used}
    found = whole_folders(models_directory / model_name / "candidates")
    newest_first = sorted(found, key=newest_change, reverse=True)
    return [path for path in newest_first[keep:] if path not in needed]


def _mark(
    connection: Connection, models_directory: DataPath, folders: Iterable[DataPath], now: datetime
) -> Sequence[str]:
    """Note that the files of versions go; return those versions."""
    paths = [str(folder).removeprefix(f"{models_directory}/") for folder in folders]
    return connection.scalars(
        update(model_versions)
        .where(model_versions.c.path.in_(paths), model_versions.c.files_deleted_at.is_(None))
        .values(files_deleted_at=now)
        .returning(model_versions.c.version_id)
    ).all()


def _delete_scores_by_asset(connection: Connection, version_ids: Sequence[str]) -> None:
    connection.execute(
        delete(evaluations).where(
            evaluations.c.version_id.in_(version_ids), evaluations.c.symbol.is_not(None)
        )
    )


def _delete(folder: DataPath) -> int:
    size = delete_folder(folder)
    logger.info("deleted %s, %.1f MB", folder, size / 1e6)
    return size
