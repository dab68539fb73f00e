"""What the roles of the market database may do. Logins become members of a role, and own nothing.

| role | may |
|---|---|
| the owner of the schema | migrate |
| `roi_writer` | read and write rows, but predictions and promotions it can only add |
| `roi_reader` | read the views |
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from roi_forecast.database.schema import SCHEMA
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

_WRITER = (
    "GRANT USAGE ON SCHEMA roi TO roi_writer",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA roi TO roi_writer",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA roi TO roi_writer",
    "REVOKE UPDATE, DELETE ON roi.predictions, roi.promotions FROM roi_writer",
    "REVOKE INSERT, UPDATE, DELETE ON roi.alembic_version FROM roi_writer",
    "CREATE SCHEMA IF NOT EXISTS optuna",
    "GRANT USAGE, CREATE ON SCHEMA optuna TO roi_writer",
)


def grant_privileges(connection: Connection) -> None:
    """Give both roles their rights on the tables and views there are now; safe to repeat.

    Args:
        connection: Market database, as the owner of the schema, after the migrations.
    """
    views = ", ".join(f"{SCHEMA}.{name}" for name in read_views())
    reader = ("GRANT USAGE ON SCHEMA roi TO roi_reader", f"GRANT SELECT ON {views} TO roi_reader")
    for statement in (CREATE_ROLES, *_WRITER, *reader):
        connection.execute(text(statement))
