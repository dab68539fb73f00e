"""`make sql`: one query answered as CSV, or a session; as a reader unless told otherwise."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from installation import command_environment
from roi_local.commands.sql import run_psql
from roi_local.environment import Home
from roi_local.postgres.server import start_postgres


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


def test_query_is_answered_as_csv_with_a_header(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    query = """SELECT 'M&M.NS' AS "sym$bol", 'a "b", $HOME' AS text, NULL AS nothing"""

    assert run_psql(home, query) == 0

    rows = list(csv.reader(io.StringIO(capfd.readouterr().out)))
    assert rows == [["sym$bol", "text", "nothing"], ["M&M.NS", 'a "b", $HOME', ""]]


def test_numbers_have_no_more_digits_than_a_person_needs(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (
        run_psql(home, "SELECT 0.95::float8 - 0.05 AS a, 1 / 3::float8 AS b, 123456.78 AS c") == 0
    )

    assert capfd.readouterr().out.splitlines()[1] == "0.9,0.33333333,123456.78"


def test_views_can_be_asked_before_the_first_run(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_psql(home, "SELECT symbol FROM roi.latest_forecasts") == 0

    assert capfd.readouterr().out == "symbol\n"


def test_wrong_query_fails_and_says_why(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_psql(home, "SELECT nonsense") != 0

    captured = capfd.readouterr()
    assert captured.out == ""
    assert 'column "nonsense" does not exist' in captured.err


def test_server_that_was_running_continues(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    pid_file: Path = home.postgres_directory / "postmaster.pid"
    with start_postgres(home.postgres_directory):
        before = pid_file.read_text().splitlines()[0]
        run_psql(home, "SELECT 1")
        assert pid_file.read_text().splitlines()[0] == before
    assert not pid_file.exists()


# Alone and after whatever a session can lift by itself.
REFUSED = {
    "DROP VIEW roi.latest_forecasts": "must be owner of view",
    "DELETE FROM roi.changed_rows": "permission denied",
    "SELECT * FROM roi.runs": "permission denied for table runs",
    "SET ROLE postgres": "permission denied to set role",
    "SET SESSION AUTHORIZATION postgres": "permission denied to set session authorization",
    "SELECT pg_advisory_lock(1)": "permission denied for function pg_advisory_lock",
    "CREATE TEMPORARY TABLE mine (a integer)": "permission denied to create temporary tables",
    "CREATE TABLE public.mine (a integer)": "permission denied for schema public",
}
LIFTED = "SET default_transaction_read_only = off; SET statement_timeout = 0;"


def session(home: Home, lines: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Type lines into `make sql`."""
    return subprocess.run(
        [sys.executable, "-m", "roi_local.commands.sql"],
        input=lines,
        env=command_environment(home) | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("statement", REFUSED)
def test_query_reads_and_changes_nothing(
    home: Home, capfd: pytest.CaptureFixture[str], statement: str
) -> None:
    assert run_psql(home, statement) != 0
    assert re.search(f"read-only transaction|{REFUSED[statement]}", capfd.readouterr().err)
    assert run_psql(home, f"{LIFTED} COMMIT; {statement}") != 0
    assert REFUSED[statement] in capfd.readouterr().err


def test_session_reads_and_changes_nothing(home: Home) -> None:
    lines = ["SELECT current_user;", "SHOW transaction_read_only;", "SHOW statement_timeout;"]
    before = session(home, "\n".join([*lines, "DROP VIEW roi.latest_forecasts;"]))
    assert [line.strip() for line in before.stdout.splitlines() if line.startswith(" ")][1::2] == [
        "roi_person",
        "on",
        "1min",
    ]
    assert "cannot execute DROP VIEW in a read-only transaction" in before.stderr
    assert "OWNER=1" in before.stderr

    lifted = session(home, "\n".join([LIFTED, *(f"{statement};" for statement in REFUSED)]))
    errors = [line for line in lifted.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == len(REFUSED)
    for error, expected in zip(errors, REFUSED.values(), strict=True):
        assert expected in error


def test_statement_of_a_reader_ends_at_its_limit(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_psql(home, "SET statement_timeout = '50ms'; SELECT pg_sleep(30)") != 0
    assert "statement timeout" in capfd.readouterr().err


@pytest.mark.parametrize("is_query", [True, False])
def test_owner_changes_everything_and_the_next_command_mends_the_views(
    home: Home, is_query: bool
) -> None:
    statement = "DROP VIEW roi.latest_forecasts;"
    owner = {"ROI_OWNER": "1"}
    if is_query:
        dropped = session(home, "", ROI_QUERY=statement, **owner)
    else:
        dropped = session(home, statement, **owner)
    assert (dropped.returncode, dropped.stdout.strip()) == (0, "DROP VIEW")

    mended = session(home, "", ROI_QUERY="SELECT symbol FROM roi.latest_forecasts")
    assert (mended.returncode, mended.stdout) == (0, "symbol\n")


def test_other_value_of_the_switch_is_refused(home: Home) -> None:
    refused = session(home, "", ROI_QUERY="SELECT 1", ROI_OWNER="yes")
    assert refused.returncode == 1
    assert "OWNER: received 'yes'; OWNER=1" in refused.stderr
