"""`make sql`: one query answered as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from roi_local.environment import Home
from roi_local.postgres import start_postgres
from roi_local.sql import run_psql


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


def test_views_can_be_asked_before_the_first_run(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_psql(home, "SELECT symbol FROM roi.latest_predictions") == 0

    assert capfd.readouterr().out == "symbol\n"


def test_wrong_query_fails_and_says_why(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_psql(home, "SELECT nonsense") != 0

    captured = capfd.readouterr()
    assert captured.out == ""
    assert 'column "nonsense" does not exist' in captured.err


def test_server_that_was_running_goes_on(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    pid_file: Path = home.postgres_directory / "postmaster.pid"
    with start_postgres(home.postgres_directory):
        before = pid_file.read_text().splitlines()[0]
        run_psql(home, "SELECT 1")
        assert pid_file.read_text().splitlines()[0] == before
    assert not pid_file.exists()
