"""The roles of the market database. Logins become members of a role, and own nothing.

| role | may |
|---|---|
| the owner of the schema | migrate, and anything else |
| `roi_writer` | read and add rows; change or delete what `_MAY_CHANGE` lists, which is recorded |
| `roi_reader` | read the views |

The owner grants these rights (`grant_privileges`). Only a superuser can set what surrounds them:
the rights of PUBLIC and the limits of the readers' logins.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

from roi_forecast.database.tables import SCHEMA, history_changes, metadata
from roi_forecast.database.tables.track_record import DERIVED
from roi_forecast.database.views import read_views

OPTUNA_SCHEMA = "optuna"
"""The schema of Optuna's own tables, which Optuna creates."""

WRITER_ROLE = "roi_writer"
READER_ROLE = "roi_reader"

READER_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "5min",
    # Only a superuser can change this one: sorting cannot fill the disk.
    "temp_file_limit": "2GB",
}
"""Settings with which a reader's session starts."""

READER_CONNECTIONS = 100
"""Maximum number of connections of one reader's login, which leaves some for others."""

# Roles belong to the whole server, where another database may be migrating at the same time. An
# owner that may not create roles needs them to exist already. A superuser can act as any role;
# another owner of the schema has to be a member of the reader to act as it, and if somebody else
# created the role, they have to grant the membership.
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

# A repeated stage replaces the rows of its earlier attempt, restated bars are replaced, and the
# progress of a run is stored in steps.
_MAY_CHANGE = {
    "assets": "UPDATE",
    "live_checks": "DELETE",
    "daily_prices": "DELETE",
    "drift": "DELETE",
    "evaluations": "UPDATE, DELETE",
    "extractions": "UPDATE",
    "gate_decisions": "UPDATE, DELETE",
    "model_versions": "UPDATE",
    "price_checks": "DELETE",
    "runs": "UPDATE",
    "studies": "UPDATE",
}

_LOCKS = text(
    """
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_'
    """
)
# Large objects fill the disk, and so do messages into the write-ahead log.
_HARMFUL = text(
    """
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace
      AND (proname ~ '^lo_' OR proname IN ('loread', 'lowrite', 'pg_cancel_backend',
                                           'pg_terminate_backend', 'pg_logical_emit_message'))
    """
)
_DATABASES = text(
    """
    SELECT datname FROM pg_database
    WHERE datname IN (current_database(), 'postgres', 'template1')
      AND has_database_privilege('public', oid, 'CONNECT')
    """
)
# The owner is a member so that it can act as the reader, and so may the pipeline be.
_READERS = text(
    """
    SELECT login.rolname
    FROM pg_auth_members AS membership
    JOIN pg_roles AS login ON login.oid = membership.member
    WHERE membership.roleid = 'roi_reader'::regrole
      AND login.rolcanlogin AND NOT login.rolsuper
      AND NOT pg_has_role(login.oid, 'roi_writer', 'MEMBER')
      AND login.oid IS DISTINCT FROM (
          SELECT nspowner FROM pg_namespace WHERE nspname = 'roi'
      )
    """
)


def grant_privileges(connection: Connection) -> None:
    """Grant both roles their rights on the present tables and views; safe to repeat.

    Args:
        connection: Market database, as the owner of the schema, after the migrations.
    """
    views = ", ".join(f"{SCHEMA}.{name}" for name in read_views())
    closed = {history_changes, *DERIVED}
    tables = ", ".join(
        sorted(table.fullname for table in metadata.tables.values() if table not in closed)
    )
    quote = connection.dialect.identifier_preparer.quote
    database = quote(connection.scalars(select(func.current_database())).one())
    for statement in (
        CREATE_ROLES,
        f"GRANT CONNECT ON DATABASE {database} TO roi_reader, roi_writer",
        "GRANT USAGE ON SCHEMA roi TO roi_reader, roi_writer",
        f"GRANT SELECT ON {views} TO roi_reader",
        "REVOKE ALL ON ALL TABLES IN SCHEMA roi FROM roi_writer",
        "GRANT SELECT ON ALL TABLES IN SCHEMA roi TO roi_writer",
        f"GRANT INSERT ON {tables} TO roi_writer",
        *(f"GRANT {rights} ON roi.{name} TO roi_writer" for name, rights in _MAY_CHANGE.items()),
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA roi TO roi_writer",
        "GRANT EXECUTE ON FUNCTION roi.count_outcomes() TO roi_writer",
        "CREATE SCHEMA IF NOT EXISTS optuna",
        "GRANT USAGE, CREATE ON SCHEMA optuna TO roi_writer",
    ):
        connection.execute(text(statement))


def grant_studies(connection: Connection) -> None:
    """Let the stages continue the searches of a restored backup, whose tables are the owner's.

    Args:
        connection: Market database, as the owner of the schema.
    """
    for kind in ("TABLES", "SEQUENCES"):
        connection.execute(text(f"GRANT ALL ON ALL {kind} IN SCHEMA optuna TO roi_writer"))


def restrict_public(connection: Connection, *lock_holders: str) -> None:
    """Revoke from PUBLIC what could harm other users; safe to repeat.

    By default any login may connect to any database, fill the disk with temporary tables and large
    objects, end sessions of its own role, and hold the advisory locks that runs wait for.

    Args:
        connection: The database, as a superuser.
        lock_holders: The only roles that may hold advisory locks in it.
    """
    quote = connection.dialect.identifier_preparer.quote
    for database in connection.scalars(_DATABASES).all():
        connection.execute(text(f"REVOKE ALL ON DATABASE {quote(database)} FROM PUBLIC"))
    locks = ", ".join(connection.scalars(_LOCKS))
    harmful = ", ".join(connection.scalars(_HARMFUL))
    roles = ", ".join(map(quote, lock_holders))
    connection.execute(text(f"REVOKE EXECUTE ON FUNCTION {locks}, {harmful} FROM PUBLIC"))
    connection.execute(text(f"GRANT EXECUTE ON FUNCTION {locks} TO {roles}"))


def limit_readers(connection: Connection, *others: str) -> None:
    """Start the sessions of every reader's login read-only and with limits; safe to repeat.

    Members inherit a role's rights but not its settings, so each login gets its own. A session can
    lift the time limits and the read-only transaction: these only prevent mistakes. Against intent,
    a reader has no right to write anything or to hold a lock that runs wait for, and can neither
    take all connections nor sort on disk without limit.

    Args:
        connection: The market database, as a superuser.
        others: Logins that read something other than the views.
    """
    quote = connection.dialect.identifier_preparer.quote
    for login in (*connection.scalars(_READERS), *others):
        connection.execute(text(f"ALTER ROLE {quote(login)} CONNECTION LIMIT {READER_CONNECTIONS}"))
        for setting, value in READER_SETTINGS.items():
            connection.execute(text(f"ALTER ROLE {quote(login)} SET {setting} TO '{value}'"))
