"""Backup and restore of the market database with its models, datasets and backtests.

A backup is a folder with a manifest: the dump of the database, the files that belong to its rows,
and what else the installation adds.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from sqlalchemy import func, inspect, select
from sqlalchemy.engine import make_url

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import OPTUNA_SCHEMA, grant_studies
from roi_forecast.database.tables import SCHEMA, model_versions, runs
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import (
    TENSORBOARD_DIRECTORY,
    copy_out,
    create_folder,
    files_below,
    published_directory,
    write_manifest,
)
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import VerifiedDirectory, open_verified
from roi_forecast.inherited import forget_postgres_settings
from roi_forecast.serving.serving_version import open_champion
from roi_forecast.settings import Settings
from roi_local.errors import LocalError
from roi_local.postgres.programs import program

logger = logging.getLogger(__name__)

_DUMP = "market.dump"
_FOLDERS = ("models", "datasets", "backtests")
_KIND = "backup"


def save_backup(
    settings: Settings, folder: Path, add: Callable[[Path], None] | None = None
) -> None:
    """Write a complete backup or none; the installation may keep running.

    The database is dumped first: a version's files are published before its row, so every version
    in the dump has its files in the copy that follows.

    Args:
        settings: The installation; its database's login owns the schema.
        folder: Must not exist.
        add: Writes further files into the folder that it gets.

    Raises:
        LocalError: The folder exists, or pg_dump failed, or a file cannot be read or written.
    """
    if folder.exists() or folder.is_symlink():
        raise LocalError(f"{folder} exists; name a new folder")
    try:
        with published_directory(folder) as working:
            working.chmod(0o700)
            schemas = [f"--schema={name}" for name in (SCHEMA, OPTUNA_SCHEMA)]
            dump_database(settings.database_url, working / _DUMP, *schemas)
            for name in _FOLDERS:
                source = settings.data_directory / name
                for file in filter(_belongs, files_below(source)):
                    copy_out(source / file, working / name / file)
            if add is not None:
                add(working)
            write_manifest(working, {"kind": _KIND})
    except OSError as error:
        raise LocalError(f"no backup was written: {error}") from error
    logger.info("backup written to %s", folder)


def open_backup(folder: Path) -> VerifiedDirectory:
    """Open a backup after checking every file of it.

    Raises:
        RegistryError: It is damaged, or no backup.
    """
    refusal = f"{folder} is no backup; name a folder that `make backup` wrote"
    if not (folder / MANIFEST).exists():
        raise RegistryError(refusal)
    backup = open_verified(folder, RegistryError)
    if backup.manifest.get("kind") != _KIND or _DUMP not in backup.files:
        raise RegistryError(refusal)
    return backup


def restore_backup(settings: Settings, backup: VerifiedDirectory) -> None:
    """Restore a backup into an installation without runs and models, and check every champion.

    A backup of an older revision is migrated to the current one.

    Args:
        settings: The installation; its database's login owns the schema.
        backup: From `open_backup`.

    Raises:
        LocalError: The installation holds runs or models, or pg_restore failed.
        RegistryError: The backup was damaged since, or a champion's files are not the registered
            ones.
    """
    _require_empty(settings)
    # A manifest makes its folder whole, so it comes last.
    for name in sorted(backup.files, key=lambda name: PurePosixPath(name).name == MANIFEST):
        if name.split("/")[0] in _FOLDERS:
            target = settings.data_directory / name
            create_folder(target.parent)
            backup.copy(name, target)
    restore_database(settings.database_url, backup, _DUMP)
    migrate(settings.database_url)
    engine = create_database_engine(settings.database_url)
    with engine.begin() as connection:
        grant_studies(connection)
        serving = select(model_versions.c.model_name).where(model_versions.c.state == "champion")
        names = connection.scalars(serving).all()
    for name in names:
        open_champion(engine, settings.models_directory, name)
    engine.dispose()
    logger.info("restored %s; the files of %d champions are intact", backup.directory, len(names))


def dump_database(url: str, path: Path, *options: str) -> None:
    """Write a database into a file.

    Args:
        url: SQLAlchemy URL of its owner.
        path: A new file.
        options: Further options of pg_dump.

    Raises:
        LocalError: pg_dump failed.
    """
    _run(url, "pg_dump", "--format=custom", f"--file={path}", *options)


def restore_database(url: str, backup: VerifiedDirectory, name: str) -> None:
    """Replace what a database holds by a dump, completely or not at all.

    Args:
        url: SQLAlchemy URL of its owner.
        backup: Holds the dump.
        name: The dump's name in the backup.

    Raises:
        LocalError: pg_restore failed.
    """
    options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]
    with TemporaryDirectory(prefix="roi-") as private:
        # pg_restore takes paths only: nobody else can write to this one.
        dump = Path(private, name)
        backup.copy(name, dump)
        _run(url, "pg_restore", *options, f"--dbname={make_url(url).database}", str(dump))


def _belongs(name: str) -> bool:
    """Tell whether a file belongs to a backup: no unfinished one, and no log for TensorBoard.

    Nor do links: opening a champion creates its link from the database.
    """
    parts = PurePosixPath(name).parts
    return TENSORBOARD_DIRECTORY not in parts and not any(part.startswith(".") for part in parts)


def _require_empty(settings: Settings) -> None:
    engine = create_database_engine(settings.database_url)
    with engine.connect() as connection:
        count = 0
        if inspect(connection).has_table(runs.name, schema=SCHEMA):
            count = connection.scalar(select(func.count()).select_from(runs)) or 0
    engine.dispose()
    models = settings.models_directory
    if count or files_below(models):
        raise LocalError(
            f"the market database holds {count} runs, or {models} contains models; restore "
            "into an empty installation"
        )


def _run(address: str, name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, with the password in its environment."""
    url = make_url(address)
    given = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }
    forget_postgres_settings()
    environment = os.environ | {key: str(value) for key, value in given.items() if value}
    answer = subprocess.run(
        [str(program(name)), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise LocalError(f"{name} failed: {answer.stderr.strip()}")
