"""Retention: which files of versions, candidates and datasets stay, and deleting the others.

Rows are never deleted: what a version was, what it scored and what it forecast stays known.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, func, or_, select, update

from roi_forecast.database.tables import datasets, model_versions, promotions, runs
from roi_forecast.errors import ConfigError
from roi_forecast.model.candidates import candidate_path
from roi_forecast.registry.champion import find_predecessor, find_undisputed, lock_champion
from roi_forecast.settings import Settings

logger = logging.getLogger(__name__)

FEWEST_VERSIONS = 2
"""The champion and the version that served before it are kept in any case."""

_LONGEST_UNCLAIMED_RUN = timedelta(days=7)
_DELETED = re.compile(r"^\..*\.deleted$")


@dataclass(frozen=True)
class Pruned:
    """What retention deleted.

    Attributes:
        versions: Published versions whose files are gone.
        candidates: Folders of candidates that are gone.
        datasets: Datasets whose files are gone.
        freed_bytes: What they took on disk.
    """

    versions: int
    candidates: int
    datasets: int
    freed_bytes: int


def prune_registry(
    engine: Engine,
    settings: Settings,
    *,
    keep_versions: int,
    keep_candidates: int,
    now: datetime,
) -> Pruned:
    """Delete the files that nothing needs any more, for every model name; safe to repeat.

    Of each model name the newest versions that served stay, the champion and the version before it
    among them in any case. So do the newest candidates, and those of runs that are still going. A
    dataset goes with the last version that was trained on it, once no run of its as-of date was
    resolved for a week.

    Args:
        engine: Market database.
        settings: Where this installation keeps things.
        keep_versions: Published versions to keep of each model name, at least 2.
        keep_candidates: Folders of candidates to keep of each model name.
        now: The present, with time zone.

    Raises:
        ConfigError: Fewer than the champion and the version before it would stay.
    """
    if keep_versions < FEWEST_VERSIONS or keep_candidates < 0:
        raise ConfigError(
            f"keep_versions: received {keep_versions}, keep_candidates: received "
            f"{keep_candidates}; allowed are at least {FEWEST_VERSIONS} and 0"
        )
    models = settings.models_directory
    _finish_deletions(models, settings.datasets_directory)
    with engine.connect() as connection:
        names = connection.scalars(select(model_versions.c.model_name).distinct()).all()
    versions: list[Path] = []
    candidates: list[Path] = []
    for name in sorted(names):
        with engine.begin() as connection:
            lock_champion(connection, name)
            old_versions = _old_versions(connection, models, name, keep_versions)
            old_candidates = _old_candidates(connection, models, name, keep_candidates)
            # The row is marked first: a crash leaves files without use, never a use without files.
            _mark(connection, models, [*old_versions, *old_candidates], now)
        versions += old_versions
        candidates += old_candidates
    with engine.connect() as connection:
        old_datasets = _old_datasets(connection, settings.datasets_directory, now)
    freed = sum(_delete(path) for path in (*versions, *candidates, *old_datasets))
    pruned = Pruned(len(versions), len(candidates), len(old_datasets), freed)
    logger.info(
        "deleted the files of %d versions, %d candidates and %d datasets: %.1f MB",
        pruned.versions,
        pruned.candidates,
        pruned.datasets,
        freed / 1e6,
    )
    return pruned


def _old_versions(
    connection: Connection, models_directory: Path, model_name: str, keep: int
) -> list[Path]:
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
    found = _folders(models_directory / model_name / "versions")
    # A folder without a row was published by a promotion that never reached the database.
    return [path for path in found if path.name not in kept]


def _old_candidates(
    connection: Connection, models_directory: Path, model_name: str, keep: int
) -> list[Path]:
    table = model_versions.c
    going = connection.execute(
        select(runs.c.run_id, runs.c.as_of_date).where(
            runs.c.released_at.is_(None), runs.c.model_name == model_name
        )
    ).all()
    # A run that is going may use the candidate of an earlier one, trained from the same inputs.
    used = connection.scalars(
        select(table.path)
        .join_from(model_versions, datasets)
        .where(
            table.model_name == model_name,
            or_(
                table.state == "champion",
                datasets.c.as_of_date.in_([run.as_of_date for run in going]),
            ),
        )
    )
    needed = {models_directory / candidate_path(model_name, run.run_id) for run in going}
    needed |= {models_directory / path for path in used}
    found = _folders(models_directory / model_name / "candidates")
    newest_first = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    return [path for path in newest_first[keep:] if path not in needed]


def _mark(
    connection: Connection, models_directory: Path, folders: Iterable[Path], now: datetime
) -> None:
    paths = [folder.relative_to(models_directory).as_posix() for folder in folders]
    connection.execute(
        update(model_versions)
        .where(model_versions.c.path.in_(paths), model_versions.c.files_deleted_at.is_(None))
        .values(files_deleted_at=now)
    )


def _old_datasets(connection: Connection, directory: Path, now: datetime) -> list[Path]:
    """Return the datasets of no version that has files and of no run that may still be going."""
    # Backtests and searches claim no model name, so only their age says that they have ended.
    going = select(runs.c.as_of_date).where(
        or_(runs.c.released_at.is_(None), runs.c.claimed_at > now - _LONGEST_UNCLAIMED_RUN)
    )
    trained = select(model_versions.c.dataset_id).where(model_versions.c.files_deleted_at.is_(None))
    needed = connection.scalars(
        select(datasets.c.dataset_id).where(
            or_(datasets.c.dataset_id.in_(trained), datasets.c.as_of_date.in_(going))
        )
    ).all()
    known = set(connection.scalars(select(datasets.c.dataset_id)))
    # One that is not registered yet was written by a run a moment ago.
    return [path for path in _folders(directory) if path.name in known - set(needed)]


def _folders(directory: Path) -> list[Path]:
    """Return the whole folders in a directory; one that is being written begins with a dot."""
    if not directory.is_dir():
        return []
    found = (path for path in directory.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path for path in found if not path.name.startswith("."))


def _delete(folder: Path) -> int:
    """Delete a folder in one step for its readers; return the bytes that its files took."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    leaving = folder.with_name(f".{folder.name}.deleted")
    folder.rename(leaving)
    shutil.rmtree(leaving)
    logger.info("deleted %s, %.1f MB", folder, size / 1e6)
    return size


def _finish_deletions(models_directory: Path, datasets_directory: Path) -> None:
    parts: Sequence[Path] = (
        *models_directory.glob("*/versions"),
        *models_directory.glob("*/candidates"),
        datasets_directory,
    )
    for part in parts:
        for path in part.glob(".*"):
            if _DELETED.match(path.name):
                shutil.rmtree(path)
