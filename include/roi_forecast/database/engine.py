"""Connections to the market database, and locks across processes."""

from __future__ import annotations

import hashlib

from sqlalchemy import BigInteger, Connection, Engine, cast, create_engine, func, select
from sqlalchemy.engine import make_url

from roi_forecast.errors import PreflightError
from roi_forecast.inherited import forget_postgres_settings

DRIVER = "postgresql+psycopg"


def create_database_engine(url: str) -> Engine:
    """Return an engine of the market database, which connects on first use.

    Raises:
        PreflightError: The URL does not use psycopg 3.
    """
    require_driver(url)
    forget_postgres_settings()
    return create_engine(url, pool_pre_ping=True, pool_size=2, max_overflow=4)


def require_driver(url: str) -> None:
    """Check that a URL of the market database uses psycopg 3.

    Raises:
        PreflightError: It uses another driver.
    """
    if make_url(url).drivername != DRIVER:
        raise PreflightError(
            f"the market database's URL starts with {make_url(url).drivername!r}; "
            f"it has to start with {DRIVER!r}"
        )


def lock_until_commit(connection: Connection, *names: str) -> None:
    """Wait for the advisory lock of the given names, and hold it until the transaction ends."""
    digest = hashlib.sha256("\x00".join(names).encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute(select(func.pg_advisory_xact_lock(cast(key, BigInteger))))
