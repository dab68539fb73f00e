"""Connections that can only read the views."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, create_engine

from roi_forecast.database.engine import require_driver
from roi_forecast.database.roles import READER_ROLE
from roi_forecast.inherited import forget_postgres_settings
from roi_forecast.settings import Settings

STATEMENT_TIMEOUT = timedelta(seconds=5)
CONNECTIONS = 4
"""Maximum number of requests at a time; more would only share the same processors."""
_WAIT_FOR_CONNECTION = timedelta(seconds=5)


def create_reader_engine(settings: Settings) -> Engine:
    """Return an engine whose connections act as `roi_reader`, which connects on first use.

    Role, read-only transactions and the statement timeout are options of the connection, so they
    hold from its first statement on, and `RESET ROLE` returns to the same role.

    Args:
        settings: The installation, with a `reader_database_url` or else its `database_url`.

    Raises:
        PreflightError: The URL does not use psycopg 3.
    """
    url = settings.reader_database_url or settings.database_url
    require_driver(url)
    forget_postgres_settings()
    milliseconds = int(STATEMENT_TIMEOUT / timedelta(milliseconds=1))
    options = {
        "role": READER_ROLE,
        "default_transaction_read_only": "on",
        "statement_timeout": str(milliseconds),
        # Measured (benchmarks/api_latency.py): compiling costs more than it saves, and hash joins
        # in memory count outcomes faster than memoized index lookups.
        "jit": "off",
        "work_mem": "32MB",
        "enable_memoize": "off",
    }
    return create_engine(
        url,
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "application_name": "roi-pages",
        },
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=_WAIT_FOR_CONNECTION.total_seconds(),
        pool_pre_ping=True,
    )
