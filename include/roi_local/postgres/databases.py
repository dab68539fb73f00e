"""Creating and migrating both databases of a local installation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from sqlalchemy import Engine, text

from roi_forecast.database.engine import create_database_engine, lock_until_commit
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import READER_ROLE, WRITER_ROLE, limit_readers, restrict_public
from roi_local.environment import (
    AIRFLOW_DATABASE,
    MARKET_DATABASE,
    PAGES_LOGIN,
    PERSON_LOGIN,
    PIPELINE_LOGIN,
    Home,
)
from roi_local.errors import LocalError
from roi_local.postgres.programs import SUPERUSER, last_line
from roi_local.postgres.server import EmbeddedPostgres, start_postgres

# As in an installation on several machines, but without passwords: only one user of the machine
# can reach the socket.
_LOGINS = {
    PIPELINE_LOGIN: WRITER_ROLE,
    PAGES_LOGIN: READER_ROLE,
    PERSON_LOGIN: READER_ROLE,
}


def prepare_market(postgres: EmbeddedPostgres) -> None:
    """Create and migrate the market database and its logins; repairs what a person changed."""
    postgres.create_database(MARKET_DATABASE)
    url = postgres.url(MARKET_DATABASE)
    migrate(url)
    engine = create_database_engine(url)
    with engine.begin() as connection:
        lock_until_commit(connection, "logins")
        known = connection.scalars(text("SELECT rolname FROM pg_roles")).all()
        for login in _LOGINS.keys() - known:
            connection.execute(text(f"CREATE ROLE {login} LOGIN IN ROLE {_LOGINS[login]}"))
        restrict_public(connection, WRITER_ROLE)
        limit_readers(connection)
    engine.dispose()


@contextmanager
def open_market(home: Home) -> Iterator[Engine]:
    """Yield the market database; its server stops after the block unless others use it."""
    with start_postgres(home.postgres_directory) as postgres:
        prepare_market(postgres)
        engine = create_database_engine(postgres.url(MARKET_DATABASE, login=PIPELINE_LOGIN))
        try:
            yield engine
        finally:
            engine.dispose()


def prepare_airflow(home: Home, postgres: EmbeddedPostgres, environment: Mapping[str, str]) -> None:
    """Create and migrate Airflow's database.

    Airflow's migration takes seconds even if there is nothing to do, so a file remembers the
    version of Airflow that has migrated the database.

    Args:
        home: The installation.
        postgres: The server that holds the database.
        environment: The environment of Airflow's processes.

    Raises:
        LocalError: Airflow's migration failed.
    """
    is_new = postgres.create_database(AIRFLOW_DATABASE)
    engine = create_database_engine(postgres.url(AIRFLOW_DATABASE))
    with engine.begin() as connection:
        restrict_public(connection, SUPERUSER)
    engine.dispose()
    stamp, current = home.airflow_directory / "migrated.txt", version("apache-airflow-core")
    if not is_new and stamp.exists() and stamp.read_text(encoding="utf-8") == current:
        return
    log_path = home.logs_directory / "airflow_migration.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        result = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=dict(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode != 0:
        raise LocalError(
            f"Airflow's database could not be migrated: {last_line(log_path)} (log: {log_path})"
        )
    stamp.write_text(current, encoding="utf-8")
