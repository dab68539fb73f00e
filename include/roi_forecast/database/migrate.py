"""Bringing the market database to the schema that this code expects."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.schema import CreateSchema

from roi_forecast.database.engine import create_database_engine, lock_until_commit
from roi_forecast.database.roles import grant_privileges
from roi_forecast.database.tables import SCHEMA
from roi_forecast.errors import PreflightError

logger = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(url: str) -> None:
    """Create the schema or bring it up to date, then grant the roles' rights; safe to repeat.

    Two processes may call this at the same time: one waits for the other.

    Args:
        url: SQLAlchemy URL of the market database; its user must own the schema.
    """
    engine = create_database_engine(url)
    try:
        with engine.begin() as connection:
            lock_until_commit(connection, "migrate")
            connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
            command.upgrade(_alembic_config(connection), "head")
            grant_privileges(connection)
    finally:
        engine.dispose()


def require_current_schema(engine: Engine) -> None:
    """Check that the database has exactly the schema that this code was written for.

    Raises:
        PreflightError: The schema is missing, behind or ahead.
    """
    expected = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    with engine.connect() as connection:
        found = _current_revision(connection)
    if found == expected:
        return
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if found is None:
        state = "has no tables yet"
    elif found in known:
        state = f"is behind, at revision {found}"
    else:
        state = f"is ahead of this code, at the unknown revision {found}"
    advice = (
        "update the code"
        if found is not None and found not in known
        else "run `python -m roi_forecast.database.migrate`"
    )
    raise PreflightError(
        f"the market database {state}; this code needs revision {expected}: {advice}"
    )


def _current_revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()


def _alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def main() -> None:
    """Migrate the database that the environment names."""
    from roi_forecast.settings import Settings

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    migrate(Settings.from_environment().database_url)
    logger.info("the market database is up to date")


if __name__ == "__main__":
    main()
