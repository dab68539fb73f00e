"""Backup and restore of a whole local installation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.roles import CREATE_ROLES
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.settings import Settings
from roi_local.backup.market import (
    dump_database,
    open_backup,
    restore_backup,
    restore_database,
    save_backup,
)
from roi_local.environment import (
    AIRFLOW_DATABASE,
    MARKET_DATABASE,
    RUN_PURPOSE,
    UP_PURPOSE,
    Home,
)
from roi_local.errors import LocalError
from roi_local.postgres.databases import prepare_market
from roi_local.postgres.server import is_postgres_in_use, start_postgres
from roi_local.private_files import create_private_folder, hold_lock, write_private

_AIRFLOW_DUMP = "airflow.dump"
_SECRETS_FILE = "secrets.json"


def save_installation(home: Home, folder: Path) -> None:
    """Write a complete backup of an installation, or none; anything may run meanwhile.

    Besides the market it holds Airflow's database, with connections, pools and the history of
    tasks, and the secrets that these are encrypted with. Logs and caches are left out.

    Args:
        home: The installation; its PostgreSQL is started if it does not run, and stopped again.
        folder: Must not exist.

    Raises:
        LocalError: There is nothing to back up, the folder exists, or it cannot be written.
    """
    if not (home.postgres_directory / "PG_VERSION").exists():
        raise LocalError(f"{home.directory} holds no installation yet; `make run` creates one")
    with start_postgres(home.postgres_directory) as postgres:

        def add_airflow(working: Path) -> None:
            if postgres.has_database(AIRFLOW_DATABASE):
                dump_database(postgres.url(AIRFLOW_DATABASE), working / _AIRFLOW_DUMP)
            if home.secrets_file.exists():
                secrets = home.secrets_file.read_text(encoding="utf-8")
                write_private(working / _SECRETS_FILE, secrets)

        settings = Settings(postgres.url(MARKET_DATABASE), home.data_directory)
        save_backup(settings, folder, add_airflow)


def restore_installation(home: Home, folder: Path, agree: Callable[[], None]) -> None:
    """Replace an installation by a backup, completely or not at all.

    The backup is restored and checked next to the installation, which stays as it is until then.

    Args:
        home: The installation; need not exist.
        folder: Written by `make backup`, or by an installation by docker compose.
        agree: Called before an installation that holds something is replaced; raises an error to
            keep it.

    Raises:
        LocalError: The installation is in use, or a file cannot be written.
        RegistryError: The backup is damaged, or a champion's files are not the registered ones.
    """
    with (
        hold_lock(home.lock(RUN_PURPOSE), "a `make run` is at work; restore after it has ended"),
        hold_lock(home.lock(UP_PURPOSE), "the live stack is up; stop it with `make down` first"),
    ):
        if is_postgres_in_use(home.postgres_directory):
            raise LocalError("PostgreSQL is in use, perhaps by `make sql`; end that first")
        backup = open_backup(folder)
        if home.postgres_directory.exists():
            agree()
        try:
            with _new_home(home) as new:
                _restore(new, backup, home)
        except OSError as error:
            raise LocalError(f"nothing was restored: {error}") from error


def _restore(new: Home, backup: VerifiedDirectory, replaced: Home) -> None:
    if _SECRETS_FILE in backup.files:
        write_private(new.secrets_file, backup.read(_SECRETS_FILE).decode())
    elif replaced.secrets_file.exists():
        write_private(new.secrets_file, replaced.secrets_file.read_text(encoding="utf-8"))
    with start_postgres(new.postgres_directory) as postgres:
        postgres.create_database(MARKET_DATABASE)
        url = postgres.url(MARKET_DATABASE)
        engine = create_database_engine(url)
        with engine.begin() as connection:
            connection.execute(text(CREATE_ROLES))
        engine.dispose()
        restore_backup(Settings(url, new.data_directory), backup)
        prepare_market(postgres)
        if _AIRFLOW_DUMP in backup.files:
            postgres.create_database(AIRFLOW_DATABASE)
            restore_database(postgres.url(AIRFLOW_DATABASE), backup, _AIRFLOW_DUMP)


@contextmanager
def _new_home(home: Home) -> Iterator[Home]:
    """Yield an empty installation that takes the place of another one if the block succeeds."""
    name = home.directory.name
    new, old = (home.directory.with_name(f"{name}.{state}") for state in ("restoring", "replaced"))
    if old.exists():
        raise LocalError(
            f"{old} is what an interrupted restore has replaced; move it back, or delete it"
        )
    if new.exists():
        shutil.rmtree(new)
    create_private_folder(new)
    try:
        yield Home(new, home.dags_folder)
        home.directory.rename(old)
        try:
            new.rename(home.directory)
        except OSError:
            old.rename(home.directory)
            raise
        shutil.rmtree(old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
