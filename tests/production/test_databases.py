"""The job `init` on an empty server: every login, its rights and its limits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import URL

from documentation import commands
from production.native import NativeCompose, create_compose
from roi_forecast.database.migrate import migrate
from roi_forecast.database.views import read_views
from roi_local.postgres.programs import program
from roi_production.databases import create_databases
from roi_production.settings import Addresses


@pytest.fixture(scope="module")
def server() -> Iterator[NativeCompose]:
    """PostgreSQL behind passwords, and nothing else of the topology."""
    # Not below pytest's own folder, which other users, PostgreSQL's among them, cannot enter.
    with TemporaryDirectory(prefix="roi-databases-") as folder:
        Path(folder).chmod(0o755)
        topology = create_compose(Path(folder), {}, {})
        try:
            topology.start_postgres()
            yield topology
        finally:
            topology.stop()


@pytest.fixture(scope="module")
def addresses(server: NativeCompose) -> Addresses:
    """Both databases as `init` leaves them, done twice as at every upgrade."""
    found = Addresses.from_environment(server.environment("init"))
    for _ in range(2):
        create_databases(found)
        migrate(found.owner.render_as_string(hide_password=False))
    return found


def connect(url: URL, database: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=database or url.database,
        autocommit=True,
    )


def test_the_owner_owns_the_market_and_may_create_no_roles(addresses: Addresses) -> None:
    with connect(addresses.owner) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False)
        connection.execute("DROP VIEW roi.forecasts CASCADE")
    migrate(addresses.owner.render_as_string(hide_password=False))
    with connect(addresses.pages) as connection:
        for name in read_views():
            connection.execute(f"SELECT FROM roi.{name} LIMIT 1".encode())


def test_the_pipeline_adds_rows_and_takes_locks_and_leaves_a_record(addresses: Addresses) -> None:
    with connect(addresses.pipeline) as connection:
        connection.execute("SELECT pg_advisory_lock(1), pg_advisory_unlock(1)")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("CREATE TEMPORARY TABLE large (a integer)")
        connection.execute(
            "INSERT INTO roi.runs "
            "(run_id, model_name, source, as_of_date, published_at, resolved) "
            "VALUES ('a', 'b', 'yahoo', '2025-01-02', '2025-01-02 22:00+00', '{}')"
        )
        connection.execute("UPDATE roi.runs SET source = 'other'")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM roi.runs")
        found = connection.execute(
            "SELECT table_name, old_values ->> 'source', changed_by FROM roi.history_changes"
        ).fetchall()
    assert found == [("runs", "yahoo", addresses.pipeline.username)]


@pytest.mark.parametrize("name", ["pages", "pool_reader"])
def test_a_reader_starts_with_limits_and_takes_no_lock(addresses: Addresses, name: str) -> None:
    with connect(getattr(addresses, name)) as connection:
        shown = [
            connection.execute(f"SHOW {setting}".encode()).fetchone()
            for setting in ("transaction_read_only", "statement_timeout", "temp_file_limit")
        ]
        assert shown == [("on",), ("1min",), ("2GB",)]
        connection.execute("SET default_transaction_read_only = off")
        for statement in ("SELECT pg_advisory_lock(1)", "CREATE TEMPORARY TABLE a (b integer)"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_login_created_by_hand_reads_and_gets_the_limits(addresses: Addresses) -> None:
    """As in SECURITY.md."""
    with connect(addresses.superuser) as connection:
        connection.execute("CREATE ROLE anna LOGIN IN ROLE roi_reader PASSWORD 'a-password'")
    create_databases(addresses)
    with connect(addresses.pages.set(username="anna", password="a-password")) as connection:
        connection.execute("SELECT * FROM roi.latest_forecasts")
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)


@pytest.mark.parametrize("name", ["pipeline", "pages", "pool_reader", "results"])
def test_no_login_reaches_another_database(addresses: Addresses, name: str) -> None:
    url: URL = getattr(addresses, name)
    for database in {"postgres", "template1", "market", "airflow"} - {url.database}:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(url, database)


def run_as_init(server: NativeCompose, line: str, backups: Path) -> None:
    """Execute what a documented command lets a service do, with the settings of that service."""
    command = re.fullmatch(
        r"docker compose (?:run --rm|exec -T)(?: --volume \$PWD/backups:(\S+))? (\w+) ?(.*)", line
    )
    assert command is not None, line
    mounted, service, words = command.groups()
    if mounted:
        words = words.replace(f"{mounted}/", f"{backups}/")
    environment = server.environment(service)
    if service == "postgres":
        details = server.login("ROI_POSTGRES_ADMIN_URL").info
        # In its container it is reached by the socket.
        environment |= {"PGHOST": str(server.folder / "postgres"), "PGPORT": str(details.port)}
        environment["PATH"] = f"{program('psql').parent}{os.pathsep}{environment['PATH']}"
    if not words:
        create_databases(Addresses.from_environment(environment))
        migrate(environment["ROI_OWNER_DATABASE_URL"])
        return
    answer = subprocess.run(
        ["bash", "-c", words],
        cwd=backups,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, f"{line}\n{answer.stderr}"


def test_a_team_s_installation_is_backed_up_and_restored_as_documented(
    server: NativeCompose, addresses: Addresses, tmp_path: Path
) -> None:
    """Studies belong to the pipeline's login, since Optuna creates its tables itself."""
    with connect(addresses.pipeline) as connection:
        connection.execute("CREATE TABLE optuna.studies (study_name text)")
        connection.execute("INSERT INTO optuna.studies VALUES ('spring')")
        count = connection.execute("SELECT count(*) FROM roi.runs").fetchone()
    with connect(addresses.airflow) as connection:
        connection.execute("CREATE TABLE connection AS SELECT 'smtp_default' AS conn_id")
    lines = [command.text for command in commands("team")]
    (saved,) = (index for index, line in enumerate(lines) if "backup save" in line)
    (restored,) = (index for index, line in enumerate(lines) if "pg_dump" in line)
    for line in lines[: max(saved, restored) + 1]:
        run_as_init(server, line, tmp_path)

    with connect(addresses.superuser) as connection:
        for name in ("market", "airflow"):
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    shutil.rmtree(server.data_directory)
    server.data_directory.mkdir()
    for line in lines[max(saved, restored) + 1 :]:
        run_as_init(server, line, tmp_path)

    with connect(addresses.pipeline) as connection:
        assert connection.execute("SELECT count(*) FROM roi.runs").fetchone() == count != (0,)
        # A search continues.
        connection.execute("INSERT INTO optuna.studies VALUES ('summer')")
    with connect(addresses.airflow) as connection:
        assert connection.execute("TABLE connection").fetchall() == [("smtp_default",)]
    with connect(addresses.pages) as connection:
        connection.execute("SELECT * FROM roi.latest_forecasts")
