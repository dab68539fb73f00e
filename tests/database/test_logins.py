"""A reader's login cannot disturb others."""

from __future__ import annotations

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from databases import ensure_login
from roi_forecast.database.engine import create_database_engine, lock_until_commit
from roi_forecast.database.migrate import migrate
from roi_forecast.database.roles import (
    WRITER_ROLE,
    grant_privileges,
    limit_readers,
    restrict_public,
)
from roi_forecast.database.views import read_views

LOGINS = {"reader_of_test": "roi_reader", "writer_of_test": WRITER_ROLE}


@pytest.fixture
def restricted(market_engine: Engine) -> Engine:
    """A market database with a login of each kind, as an installation sets it up."""
    with market_engine.begin() as connection:
        for login, role in LOGINS.items():
            ensure_login(connection, login, role)
        grant_privileges(connection)
        restrict_public(connection, WRITER_ROLE)
        limit_readers(connection)
    return market_engine


def as_login(engine: Engine, login: str) -> Engine:
    url: URL = engine.url.set(username=login)
    return create_engine(url, poolclass=NullPool)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_advisory_lock_shared(1, 2)",
        "SELECT pg_try_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1)",
        "LOCK TABLE roi.runs IN ACCESS SHARE MODE",
        "LOCK TABLE roi.run_history IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE roi.run_history IN ROW SHARE MODE",
        "SELECT * FROM roi.latest_forecasts FOR SHARE",
        "SELECT * FROM roi.prices FOR KEY SHARE",
        "DELETE FROM roi.changed_rows",
        "INSERT INTO roi.changed_rows DEFAULT VALUES",
        "UPDATE roi.changed_rows SET rows = 0",
        "CREATE TEMPORARY TABLE large (a integer)",
        "CREATE TABLE public.other (a integer)",
        "CREATE SCHEMA other",
        "CREATE FUNCTION pg_temp.other() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'content')",
        "SELECT lo_put(0, 0, 'content')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/other'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_terminate_backend(1)",
        "SELECT pg_cancel_backend(1)",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
        "SET temp_file_limit = -1",
        "SET session_replication_role = replica",
        "SET ROLE postgres",
        "SET ROLE roi_writer",
        "SET SESSION AUTHORIZATION writer_of_test",
        "ALTER ROLE reader_of_test CONNECTION LIMIT -1",
        "ALTER VIEW roi.run_history RENAME TO other",
        "DROP VIEW roi.latest_forecasts",
        "TRUNCATE roi.runs",
        "GRANT roi_reader TO writer_of_test",
        "SELECT * FROM pg_authid",
        "SELECT * FROM roi.runs",
    ],
)
def test_a_reader_who_lifts_every_limit_still_has_no_rights(
    restricted: Engine, statement: str
) -> None:
    with as_login(restricted, "reader_of_test").connect() as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
        connection.commit()
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner|cannot set"):
            connection.execute(text(statement))


def test_a_readers_session_starts_read_only_and_with_limits(restricted: Engine) -> None:
    with as_login(restricted, "reader_of_test").connect() as connection:
        shown = {
            name: connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in (
                "transaction_read_only",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_timeout",
                "temp_file_limit",
            )
        }
        assert shown == {
            "transaction_read_only": "on",
            "statement_timeout": "1min",
            "idle_in_transaction_session_timeout": "1min",
            "transaction_timeout": "5min",
            "temp_file_limit": "2GB",
        }
        connection.execute(text("SET statement_timeout = '50ms'"))
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(30)"))


def test_sorting_on_disk_ends_at_the_readers_limit(restricted: Engine) -> None:
    with restricted.begin() as connection:
        connection.execute(text("ALTER ROLE reader_of_test SET temp_file_limit TO '1MB'"))
    with (
        as_login(restricted, "reader_of_test").connect() as connection,
        pytest.raises(OperationalError, match="temp_file_limit"),
    ):
        connection.execute(text("SELECT i FROM generate_series(1, 2000000) AS i ORDER BY -i"))


def test_a_reader_cannot_take_all_connections(restricted: Engine) -> None:
    with restricted.begin() as connection:
        limit = connection.scalar(
            text("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'reader_of_test'")
        )
        assert limit == 100
        connection.execute(text("ALTER ROLE reader_of_test CONNECTION LIMIT 1"))
    engine = as_login(restricted, "reader_of_test")
    with engine.connect(), pytest.raises(OperationalError, match="too many connections"):
        engine.connect()


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_reader_cannot_connect_to_another_database(restricted: Engine, database: str) -> None:
    """In which it could create tables, or keep databases from being created."""
    url = restricted.url.set(username="reader_of_test", database=database)
    with pytest.raises(OperationalError, match="permission denied for database"):
        create_engine(url, poolclass=NullPool).connect()


def test_a_writer_is_not_limited_and_takes_the_locks(restricted: Engine) -> None:
    with as_login(restricted, "writer_of_test").begin() as connection:
        lock_until_commit(connection, "claim", "reference")
        assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "off"
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
    for refused in ("SELECT lo_create(0)", "CREATE TEMPORARY TABLE large (a integer)"):
        with (
            as_login(restricted, "writer_of_test").begin() as connection,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            connection.execute(text(refused))


def test_neither_stages_nor_a_migration_wait_for_a_reader(
    restricted: Engine,
) -> None:
    url = f"{restricted.url.render_as_string(hide_password=False)}&options=-c%20lock_timeout%3D2s"
    with as_login(restricted, "reader_of_test").connect() as reader:
        for name in read_views():
            reader.execute(text(f"LOCK TABLE roi.{name} IN ACCESS SHARE MODE"))
            reader.execute(text(f"SELECT FROM roi.{name} LIMIT 1"))
        migrate(url)
        engine = create_database_engine(url)
        with engine.begin() as connection:
            lock_until_commit(connection, "champion", "reference")
            for table in ("runs", "evaluations", "gate_decisions"):
                connection.execute(text(f"LOCK TABLE roi.{table} IN ROW EXCLUSIVE MODE"))
        engine.dispose()
