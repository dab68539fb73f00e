"""Bringing both databases of a local installation to what this code expects."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version

from sqlalchemy import Engine, text

from roi_forecast.database.engine import create_database_engine, lock_until_commit
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import READER_ROLE, WRITER_ROLE, limit_readers, restrict_public
from roi_forecast.settings import METADATA_URL_VARIABLE, POOLS
from roi_local.environment import (
    AIRFLOW_DATABASE,
    MARKET_DATABASE,
    PAGES_LOGIN,
    PERSON_LOGIN,
    PIPELINE_LOGIN,
    Home,
)
from roi_local.errors import LocalError
from roi_local.postgres.programs import SUPERUSER
from roi_local.postgres.server import EmbeddedPostgres
from roi_local.run_progress.airflow_metadata import create_pools, metadata_engine, read_revision
from roi_local.run_progress.log_events import parse_line

# The same as in an installation on several machines, but nobody needs a password to come through a
# socket that only one user of the machine can reach.
_LOGINS = {
    PIPELINE_LOGIN: WRITER_ROLE,
    PAGES_LOGIN: READER_ROLE,
    PERSON_LOGIN: READER_ROLE,
}


def prepare_market(postgres: EmbeddedPostgres) -> None:
    """Create and migrate the market database and its logins; mends what is not as it should be."""
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


def prepare_airflow(
    home: Home, postgres: EmbeddedPostgres, environment: Mapping[str, str]
) -> Engine:
    """Create and migrate Airflow's database and create the pools.

    Airflow's own migration takes seconds even where nothing is to be done, so the revision it led
    to is remembered per version of Airflow.

    Args:
        home: The installation.
        postgres: The server that holds the database.
        environment: The environment of Airflow's processes.

    Returns:
        An engine for Airflow's database.

    Raises:
        LocalError: Airflow's migration failed.
    """
    postgres.create_database(AIRFLOW_DATABASE)
    engine = metadata_engine(environment[METADATA_URL_VARIABLE])
    with engine.begin() as connection:
        restrict_public(connection, SUPERUSER)
    stamp = home.airflow_directory / "migrated.json"
    current = {"airflow": version("apache-airflow-core"), "revision": read_revision(engine)}
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")) != current:
        _migrate_airflow(home, environment)
        current["revision"] = read_revision(engine)
        stamp.write_text(json.dumps(current), encoding="utf-8")
    create_pools(engine, POOLS)
    return engine


def _migrate_airflow(home: Home, environment: Mapping[str, str]) -> None:
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
        lines = log_path.read_text(encoding="utf-8").strip().splitlines() or ["no output"]
        reason = parse_line(lines[-1]).as_text()
        raise LocalError(f"Airflow's database could not be migrated: {reason} (log: {log_path})")
