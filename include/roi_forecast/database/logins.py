"""What a superuser sets up around the market database, beyond the rights that its owner can give.

A role's members inherit its rights but not its settings, so each reader's login gets its own.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

READER_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "5min",
    # Only a superuser can change this one: sorting cannot fill the disk.
    "temp_file_limit": "2GB",
}
"""Settings that a reader's session begins with."""

READER_CONNECTIONS = 100
"""Connections that one reader's login may hold, so that others find some left."""

_LOCKS = text(
    """
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_'
    """
)
# Large objects fill the disk, as do messages into the server's log of changes.
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

# An owner is a member so that it can act as the reader, and so may be the pipeline.
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


def restrict_public(connection: Connection, *lock_holders: str) -> None:
    """Take from PUBLIC what harms others; safe to repeat.

    By default any login may connect to any database, fill the disk by temporary tables and large
    objects, end sessions of its own role, and hold the advisory locks that runs wait for.

    Args:
        connection: The database, as a superuser.
        lock_holders: Roles that may hold advisory locks in it; no other role may.
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
    """Let the sessions of every reader's login begin read-only and with limits; safe to repeat.

    A session can lift the time limits and the read-only transaction by itself: they are there for
    mistakes. What holds against intent is that a reader has no right to write anything, to hold a
    lock that runs wait for, to take all connections or to sort on disk without limit.

    Args:
        connection: The market database, as a superuser.
        others: Logins that read something else than the views.
    """
    quote = connection.dialect.identifier_preparer.quote
    for login in (*connection.scalars(_READERS), *others):
        connection.execute(text(f"ALTER ROLE {quote(login)} CONNECTION LIMIT {READER_CONNECTIONS}"))
        for setting, value in READER_SETTINGS.items():
            connection.execute(text(f"ALTER ROLE {quote(login)} SET {setting} TO '{value}'"))
