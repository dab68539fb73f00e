"""`make database` and `make database-url`: what other programs connect to, and what they may."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil
import psycopg
import pytest

from documentation import commands, snippet
from installation import command_environment, free_port
from roi_local.database.keep_running import keep_running
from roi_local.database.url import print_url
from roi_local.environment import PORT_VARIABLE, Home
from roi_local.errors import LocalError
from roi_local.postgres.server import start_postgres


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


def tcp(port: str, password: str, user: str = "roi_person", database: str = "market") -> str:
    return f"host=127.0.0.1 port={port} user={user} password={password} dbname={database}"


@contextmanager
def running(home: Home, **variables: str) -> Iterator[str]:
    """A `make database` until the end of the block; gives the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "roi_local.database.keep_running"],
        env=command_environment(home) | variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0


def test_the_reader_alone_gets_in_over_tcp_and_by_its_password(home: Home) -> None:
    with running(home, **{PORT_VARIABLE: str(free_port())}) as line:
        told = re.fullmatch(
            r"Read-only: host 127\.0\.0\.1, port (\d+), database market, user roi_person, "
            r"password (\S+)\n",
            line,
        )
        assert told
        port, password = told.groups()
        with psycopg.connect(tcp(port, password), autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM roi.versions").fetchone() == (0,)
            connection.execute("SET default_transaction_read_only TO off")
            for statement in ("SELECT * FROM roi.runs", "CREATE TABLE roi.mine (a int)"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
        for wrong in (
            tcp(port, "wrong"),
            tcp(port, password, user="postgres"),
            tcp(port, password, user="roi_pipeline"),
            tcp(port, password, database="postgres"),
        ):
            with pytest.raises(psycopg.OperationalError, match=r"authentication failed|no pg_hba"):
                psycopg.connect(wrong)
        shown = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
        assert not any(password in line for line in shown)
    assert password not in (home.directory / "postgres.log").read_text()
    (file,) = (path for path in home.directory.iterdir() if "password" in path.name)
    assert file.read_text() == password
    assert file.stat().st_mode & 0o077 == 0


def test_two_lines_give_pandas_the_views(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = snippet("python", "docs/sql.md")
    assert len(lines.split("\n\n")) == 2
    (command,) = commands("connection")
    python = f"{sys.executable} -m roi_local.database.url"
    script = command.text.replace("make -s database-url", python)
    assert python in script
    with running(home) as line:
        shell = subprocess.run(
            ["bash", "-c", f"{script} && printenv ROI_DATABASE_URL"],
            env=command_environment(home),
            capture_output=True,
            text=True,
            check=True,
        )
        url = shell.stdout.strip()
        assert line == f"Read-only: {url}\n"
        monkeypatch.setenv("ROI_DATABASE_URL", url)
        names: dict[str, object] = {}
        exec(lines, names)
    assert isinstance(names["forecasts"], pd.DataFrame)
    assert "predicted_roi_pct" in names["forecasts"].columns


def test_nothing_is_printed_of_a_database_that_does_not_run(
    home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LocalError, match="does not run; start `make up`, or `make database`"):
        print_url(home)
    assert capfd.readouterr().out == ""


def test_the_next_server_has_its_usual_socket_and_no_port(home: Home) -> None:
    with start_postgres(home.postgres_directory):
        path = home.postgres_directory / ".s.PGSQL.5432"
        assert path.is_socket()
        assert not path.is_symlink()


def test_a_port_needs_a_server_that_starts_with_it(home: Home) -> None:
    with (
        start_postgres(home.postgres_directory),
        pytest.raises(LocalError, match="runs already, and not on port 5499: end `make up`"),
    ):
        keep_running(home, 5499)


def test_a_taken_port_is_named(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"port {port} of 127.0.0.1 cannot be used"):
            keep_running(home, port)


def test_a_folder_that_no_address_can_name_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "with space")
    home.directory.mkdir(mode=0o700)
    with (
        start_postgres(home.postgres_directory),
        pytest.raises(LocalError, match=r"`make database PORT=5433` listens on a port"),
    ):
        print_url(home)
    assert capfd.readouterr().out == ""
