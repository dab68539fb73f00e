"""Bringing both databases of a local installation to what this code expects."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version

from sqlalchemy import Engine

from roi_forecast.database.migrate import migrate
from roi_forecast.settings import METADATA_URL_VARIABLE, POOLS
from roi_local.airflow_metadata import create_pools, metadata_engine, read_revision
from roi_local.environment import AIRFLOW_DATABASE, MARKET_DATABASE, Home
from roi_local.errors import LocalError
from roi_local.log_events import parse_line
from roi_local.postgres import EmbeddedPostgres


def prepare_market(postgres: EmbeddedPostgres) -> None:
    """Create and migrate the market database; does nothing where it is current."""
    postgres.create_database(MARKET_DATABASE)
    migrate(postgres.url(MARKET_DATABASE))


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
