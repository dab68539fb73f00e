"""What the roles of the market database may do. Logins become members of a role, and own nothing.

| role | may |
|---|---|
| the owner of the schema | migrate, and anything else |
| `roi_writer` | read and add rows; change or delete what `_MAY_CHANGE` lists, which is recorded |
| `roi_reader` | read the views |
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

from roi_forecast.database.schema import SCHEMA, metadata
from roi_forecast.database.views import read_views

OPTUNA_SCHEMA = "optuna"
"""Where Optuna keeps its own tables, which it creates itself."""

WRITER_ROLE = "roi_writer"
READER_ROLE = "roi_reader"

# Roles belong to the whole server, and another database on it may be migrating at the same moment.
# An owner that may not create roles finds them made by whoever set the server up. A superuser can
# take on any role; another owner of the schema has to be a member of the reader to act as it, and
# where somebody else made the role, they have to grant that.
CREATE_ROLES = """
    DO $$
    DECLARE
        name text;
    BEGIN
        FOREACH name IN ARRAY ARRAY['roi_writer', 'roi_reader'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                BEGIN
                    EXECUTE format('CREATE ROLE %I NOLOGIN', name);
                EXCEPTION
                    WHEN duplicate_object OR unique_violation THEN NULL;
                END;
            END IF;
        END LOOP;
        GRANT roi_reader TO CURRENT_USER;
    EXCEPTION
        WHEN insufficient_privilege OR unique_violation THEN NULL;
    END
    $$
"""

# A stage that is repeated replaces what its earlier attempt stored, restated bars are replaced, and
# how a run and its stages go is stored in steps.
_MAY_CHANGE = {
    "assets": "UPDATE",
    "champion_checks": "DELETE",
    "daily_prices": "DELETE",
    "drift": "DELETE",
    "evaluations": "UPDATE, DELETE",
    "extractions": "UPDATE",
    "gate_decisions": "UPDATE, DELETE",
    "model_versions": "UPDATE",
    "price_checks": "DELETE",
    "runs": "UPDATE",
}


def grant_privileges(connection: Connection) -> None:
    """Give both roles their rights on the tables and views there are now; safe to repeat.

    Args:
        connection: Market database, as the owner of the schema, after the migrations.
    """
    views = ", ".join(f"{SCHEMA}.{name}" for name in read_views())
    tables = ", ".join(
        sorted(name for name in metadata.tables if name != f"{SCHEMA}.history_changes")
    )
    quote = connection.dialect.identifier_preparer.quote
    database = quote(connection.scalars(select(func.current_database())).one())
    for statement in (
        CREATE_ROLES,
        f"GRANT CONNECT ON DATABASE {database} TO roi_reader, roi_writer",
        # The stages compare new bars with stored ones in a temporary table.
        f"GRANT TEMPORARY ON DATABASE {database} TO roi_writer",
        "GRANT USAGE ON SCHEMA roi TO roi_reader, roi_writer",
        f"GRANT SELECT ON {views} TO roi_reader",
        "REVOKE ALL ON ALL TABLES IN SCHEMA roi FROM roi_writer",
        "GRANT SELECT ON ALL TABLES IN SCHEMA roi TO roi_writer",
        f"GRANT INSERT ON {tables} TO roi_writer",
        *(f"GRANT {rights} ON roi.{name} TO roi_writer" for name, rights in _MAY_CHANGE.items()),
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA roi TO roi_writer",
        "CREATE SCHEMA IF NOT EXISTS optuna",
        "GRANT USAGE, CREATE ON SCHEMA optuna TO roi_writer",
    ):
        connection.execute(text(statement))
