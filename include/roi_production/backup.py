"""Backup and restore of the market database with its models and datasets.

`python -m roi_production.backup save FOLDER` and `… restore FOLDER`, with the environment of the
job init, or of a local installation. Airflow's own database holds the history of tasks only.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, inspect, select
from sqlalchemy.engine import make_url

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import OPTUNA_SCHEMA
from roi_forecast.database.tables import SCHEMA, model_versions, runs
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import TENSORBOARD_DIRECTORY, published_directory, write_manifest
from roi_forecast.files.verified import open_verified
from roi_forecast.inherited import forget_postgres_settings
from roi_forecast.serving.serving_version import open_champion
from roi_forecast.settings import DATABASE_URL_VARIABLE, Settings
from roi_local.command import run_command
from roi_local.errors import LocalError
from roi_local.postgres.programs import program
from roi_production.settings import OWNER_URL_VARIABLE

logger = logging.getLogger(__name__)

_DUMP = "market.dump"
_FOLDERS = ("models", "datasets")


def save_backup(settings: Settings, folder: Path) -> None:
    """Write a complete backup or none; the installation may keep running.

    The database is dumped first: a version's files are published before its row, so every version
    in the dump has its files in the copy that follows.

    Args:
        settings: The installation; its database's login owns the schema.
        folder: Must not exist.

    Raises:
        LocalError: The folder exists, or pg_dump failed.
    """
    if folder.exists() or folder.is_symlink():
        raise LocalError(f"{folder} exists; name a new folder")
    with published_directory(folder) as working:
        schemas = [f"--schema={name}" for name in (SCHEMA, OPTUNA_SCHEMA)]
        _run(settings, "pg_dump", "--format=custom", f"--file={working / _DUMP}", *schemas)
        for name in _FOLDERS:
            source = settings.data_directory / name
            if source.is_dir():
                shutil.copytree(source, working / name, symlinks=True, ignore=_left_out)
        write_manifest(working, {"kind": "backup"})
    logger.info("backup written to %s", folder)


def restore_backup(settings: Settings, folder: Path) -> None:
    """Restore a backup into an installation without runs and models, and check every champion.

    A backup of an older revision is migrated to the current one.

    Args:
        settings: The installation; its database's login owns the schema.
        folder: Written by `save_backup`.

    Raises:
        LocalError: The installation holds runs or models, or pg_restore failed.
        RegistryError: The backup is damaged, or a champion's files are not the registered ones.
    """
    backup = open_verified(folder, RegistryError)
    _require_empty(settings)
    for name in backup.files:
        if name != _DUMP:
            target = settings.data_directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            backup.copy(name, target)
    options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]
    with TemporaryDirectory(prefix="roi-") as private:
        # pg_restore takes paths only: nobody else can write to this one.
        dump = Path(private, _DUMP)
        backup.copy(_DUMP, dump)
        _run(settings, "pg_restore", *options, f"--dbname={_database(settings)}", str(dump))
    migrate(settings.database_url)
    engine = create_database_engine(settings.database_url)
    with engine.connect() as connection:
        serving = select(model_versions.c.model_name).where(model_versions.c.state == "champion")
        names = connection.scalars(serving).all()
    for name in names:
        open_champion(engine, settings.models_directory, name)
    engine.dispose()
    logger.info("restored %s; the files of %d champions are intact", folder, len(names))


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Name what a backup leaves out: unfinished files, links, and logs for TensorBoard.

    Opening a champion creates its link from the database.
    """
    return {
        name
        for name in names
        if name.startswith(".") or name == TENSORBOARD_DIRECTORY or Path(folder, name).is_symlink()
    }


def _require_empty(settings: Settings) -> None:
    engine = create_database_engine(settings.database_url)
    with engine.connect() as connection:
        count = 0
        if inspect(connection).has_table(runs.name, schema=SCHEMA):
            count = connection.scalar(select(func.count()).select_from(runs)) or 0
    engine.dispose()
    models = settings.models_directory
    if count or (models.is_dir() and any(models.iterdir())):
        raise LocalError(
            f"the market database holds {count} runs, or {models} contains models; restore "
            "into an empty installation"
        )


def _database(settings: Settings) -> str:
    return str(make_url(settings.database_url).database)


def _run(settings: Settings, name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, with the password in its environment."""
    url = make_url(settings.database_url)
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


def _main() -> None:
    logging.getLogger().setLevel(logging.INFO)
    if len(sys.argv) != 3 or sys.argv[1] not in ("save", "restore"):
        raise LocalError(f"received {sys.argv[1:]}; expected save FOLDER or restore FOLDER")
    owner = os.environ.get(OWNER_URL_VARIABLE)
    if owner:
        os.environ[DATABASE_URL_VARIABLE] = owner
    act = save_backup if sys.argv[1] == "save" else restore_backup
    act(Settings.from_environment(), Path(sys.argv[2]))


if __name__ == "__main__":
    run_command("backup", _main)
