"""Logins and databases at PostgreSQL, each with the least rights that its work needs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection

from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.roles import READER_ROLE, WRITER_ROLE, limit_readers, restrict_public
from roi_forecast.inherited import forget_postgres_settings
from roi_production.settings import Addresses

logger = logging.getLogger(__name__)

RESULTS_SCHEMA = "celery"

_Connection = psycopg.Connection[tuple[object, ...]]


def create_databases(addresses: Addresses) -> None:
    """Create roles, logins and the two databases; safe to repeat.

    It also sets the passwords, so a changed one takes effect. Only these logins may connect to the
    two databases, readers' sessions have limits, and only logins that write to a database may hold
    its advisory locks.

    Args:
        addresses: Every login and its database.
    """
    market, airflow = str(addresses.owner.database), str(addresses.airflow.database)
    with _connect(addresses.superuser) as connection:
        for role in (WRITER_ROLE, READER_ROLE):
            _create_role(connection, role)
        for name in ("owner", "pipeline", "pages", "airflow", "results", "pool_reader"):
            _create_login(connection, getattr(addresses, name))
        _execute(connection, "GRANT {} TO {}", WRITER_ROLE, addresses.pipeline.username)
        _execute(connection, "GRANT {} TO {}", READER_ROLE, addresses.pages.username)
        # Optuna's tables belong to the pipeline, which creates them; the owner backs them up.
        _execute(
            connection, "GRANT {} TO {}", addresses.pipeline.username, addresses.owner.username
        )
        _create_database(connection, market, addresses.owner)
        _create_database(connection, airflow, addresses.airflow)
        for url in (addresses.results, addresses.pool_reader):
            _execute(connection, "GRANT CONNECT ON DATABASE {} TO {}", airflow, url.username)
    with _begin(addresses.superuser.set(database=market)) as connection:
        restrict_public(connection, WRITER_ROLE, str(addresses.owner.username))
        limit_readers(connection, str(addresses.pool_reader.username))
    with _begin(addresses.superuser.set(database=airflow)) as connection:
        restrict_public(connection, str(addresses.airflow.username))
    with _connect(addresses.superuser.set(database=airflow)) as connection:
        _execute(
            connection,
            "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}",
            RESULTS_SCHEMA,
            addresses.results.username,
        )
        _execute(
            connection,
            "ALTER ROLE {} IN DATABASE {} SET search_path TO {}",
            addresses.results.username,
            airflow,
            RESULTS_SCHEMA,
        )
    logger.info("PostgreSQL has the databases %s and %s and their logins", market, airflow)


def grant_pools(addresses: Addresses) -> None:
    """Let one login read Airflow's pools, after Airflow's migration; safe to repeat."""
    with _connect(addresses.superuser.set(database=addresses.airflow.database)) as connection:
        _execute(connection, "GRANT SELECT ON slot_pool TO {}", addresses.pool_reader.username)


@contextmanager
def _begin(url: URL) -> Iterator[Connection]:
    engine = create_database_engine(url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _create_role(connection: _Connection, name: str) -> None:
    if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
        _execute(connection, "CREATE ROLE {} NOLOGIN", name)


def _create_login(connection: _Connection, url: URL) -> None:
    name = str(url.username)
    _create_role(connection, name)
    # A verifier, because the server may log the statement.
    verifier = connection.pgconn.encrypt_password(
        str(url.password).encode(), name.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(verifier)
        )
    )


def _create_database(connection: _Connection, name: str, owner: URL) -> None:
    if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", name):
        _execute(connection, "CREATE DATABASE {} OWNER {}", name, owner.username)


def _exists(connection: _Connection, question: str, name: str) -> bool:
    return connection.execute(question.encode(), [name]).fetchone() is not None


def _execute(connection: _Connection, statement: str, *names: str | None) -> None:
    """Execute a fixed statement with quoted names in its gaps."""
    identifiers = [sql.Identifier(str(name)) for name in names]
    connection.execute(sql.SQL(statement).format(*identifiers))


def _connect(url: URL) -> _Connection:
    forget_postgres_settings()
    return psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=url.database,
        autocommit=True,
    )
