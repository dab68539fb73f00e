"""What the roles of the market database may do. Logins become members of a role, and own nothing.

| role | may |
|---|---|
| the owner of the schema | migrate |
| `roi_writer` | read and write rows, but predictions and promotions it can only add |
| `roi_reader` | read the views; each migration that creates a view grants it |
"""

from __future__ import annotations

from sqlalchemy import Connection, text

OPTUNA_SCHEMA = "optuna"
"""Where Optuna keeps its own tables, which it creates itself."""

WRITER_ROLE = "roi_writer"
READER_ROLE = "roi_reader"

# Roles belong to the whole server, and another database on it may be migrating at the same moment.
# An owner that may not create roles finds this one made by whoever set the server up.
_STATEMENTS = (
    """
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'roi_writer') THEN
            CREATE ROLE roi_writer NOLOGIN;
        END IF;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
    END
    $$
    """,
    "GRANT USAGE ON SCHEMA roi TO roi_writer",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA roi TO roi_writer",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA roi TO roi_writer",
    "REVOKE UPDATE, DELETE ON roi.predictions, roi.promotions FROM roi_writer",
    "REVOKE INSERT, UPDATE, DELETE ON roi.alembic_version FROM roi_writer",
    "CREATE SCHEMA IF NOT EXISTS optuna",
    "GRANT USAGE, CREATE ON SCHEMA optuna TO roi_writer",
)


def grant_privileges(connection: Connection) -> None:
    """Give the writer its rights on every table there is now; safe to repeat.

    Args:
        connection: Market database, as the owner of the schema, after the migrations.
    """
    for statement in _STATEMENTS:
        connection.execute(text(statement))
