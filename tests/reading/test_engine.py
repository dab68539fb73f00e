from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, select, table, text
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError, ProgrammingError

from planted import Planted
from roi_forecast.database.roles import CREATE_ROLES
from roi_forecast.database.tables import SCHEMA
from roi_forecast.errors import PreflightError
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings


def views(planted: Planted) -> list[str]:
    return inspect(planted.engine).get_view_names(SCHEMA)


def test_reader_reads_every_view_and_no_table(planted: Planted) -> None:
    assert len(views(planted)) >= 15
    for name in views(planted):
        with planted.reader.connect() as connection:
            connection.execute(select(text("*")).select_from(table(name, schema=SCHEMA)).limit(1))
    for name in inspect(planted.engine).get_table_names(SCHEMA):
        with (
            planted.reader.connect() as connection,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            connection.execute(select(text("*")).select_from(table(name, schema=SCHEMA)))


def test_reader_is_granted_nothing_but_select_on_views(planted: Planted) -> None:
    with planted.engine.connect() as connection:
        granted = connection.execute(
            text(
                "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
                "WHERE grantee = 'roi_reader'"
            )
        ).all()
    assert sorted(granted) == sorted((name, "SELECT") for name in views(planted))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO roi.assets VALUES ('A', 'A', 'stock', 'NSE', 'XBOM', 'INR')",
        "DELETE FROM roi.changed_rows",
        "UPDATE roi.predictions SET horizon = 2",
        "CREATE TABLE roi.mine (id integer)",
        "SELECT nextval('roi.promotions_id_seq')",
    ],
)
@pytest.mark.parametrize("before", ["SELECT 1", "SET TRANSACTION READ WRITE"])
def test_reader_cannot_write(planted: Planted, before: str, statement: str) -> None:
    """The role forbids it even if a statement undoes the read-only transaction."""
    with planted.reader.connect() as connection:
        connection.execute(text(before))
        with pytest.raises((ProgrammingError, InternalError), match=r"permission|read-only"):
            connection.execute(text(statement))


def test_resetting_the_role_returns_to_the_reader(planted: Planted) -> None:
    with planted.reader.connect() as connection:
        connection.execute(text("RESET ROLE"))
        assert connection.execute(text("SELECT current_user")).scalar_one() == "roi_reader"


def test_statement_that_takes_too_long_is_cancelled(planted: Planted) -> None:
    with planted.reader.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "5s"
        connection.execute(text("SET LOCAL statement_timeout = '50ms'"))
        with pytest.raises(OperationalError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(30)"))


def test_user_of_its_own_reads_through_the_reader_url(planted: Planted) -> None:
    with planted.engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS pages_of_test"))
        connection.execute(text("CREATE ROLE pages_of_test LOGIN IN ROLE roi_reader"))
    url = planted.engine.url.set(username="pages_of_test").render_as_string(hide_password=False)
    engine = create_reader_engine(
        Settings("postgresql+psycopg://unused", Path("unused"), reader_database_url=url)
    )
    with engine.connect() as connection:
        names = connection.execute(text("SELECT session_user, current_user")).one()
        connection.execute(text("SELECT * FROM roi.latest_forecasts"))
    engine.dispose()
    assert tuple(names) == ("pages_of_test", "roi_reader")


def test_an_owner_without_superuser_rights_can_act_as_the_reader_after_migrating(
    planted: Planted,
) -> None:
    """After a migration by an owner that created the role itself."""
    engine: Engine = planted.engine
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS owner_of_test"))
        connection.execute(text("CREATE ROLE owner_of_test LOGIN CREATEROLE"))
        connection.execute(
            text("GRANT roi_reader TO owner_of_test WITH ADMIN TRUE, SET FALSE, INHERIT FALSE")
        )
    owner = create_engine(engine.url.set(username="owner_of_test"))
    with owner.begin() as connection, pytest.raises(DBAPIError, match="permission denied"):
        connection.execute(text("SET LOCAL ROLE roi_reader"))
    with owner.begin() as connection:
        connection.execute(text(CREATE_ROLES))
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL ROLE roi_reader"))
    owner.dispose()
    with engine.begin() as connection:
        connection.execute(text("REVOKE roi_reader FROM owner_of_test CASCADE"))
        connection.execute(text("DROP ROLE owner_of_test"))


def test_reader_url_of_another_driver_is_refused() -> None:
    with pytest.raises(PreflightError, match=r"'postgresql\+psycopg'"):
        create_reader_engine(Settings("postgresql://nobody@/market", Path("unused")))
