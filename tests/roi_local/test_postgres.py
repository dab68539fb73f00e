"""The embedded PostgreSQL: started, shared, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select

from roi_local.environment import REPOSITORY
from roi_local.errors import LocalError
from roi_local.postgres import (
    AIRFLOW_DRIVER,
    MARKET_DRIVER,
    EmbeddedPostgres,
    is_postgres_in_use,
    start_postgres,
)

kept = Table("kept", MetaData(), Column("number", Integer))


def store_number(server: EmbeddedPostgres, number: int) -> None:
    server.create_database("numbers")
    engine = create_engine(server.url("numbers"))
    with engine.begin() as connection:
        kept.create(connection)
        connection.execute(insert(kept).values(number=number))
    engine.dispose()


def stored_numbers(server: EmbeddedPostgres, driver: str = MARKET_DRIVER) -> list[int]:
    engine = create_engine(server.url("numbers", driver))
    with engine.connect() as connection:
        numbers = connection.scalars(select(kept.c.number)).all()
    engine.dispose()
    return list(numbers)


def server_processes(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and process.cwd() == str(directory.resolve()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def server_process_id(directory: Path) -> int:
    return int((directory / "postmaster.pid").read_text().splitlines()[0])


def test_data_outlive_the_server_and_no_process_stays(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with start_postgres(directory) as server:
        store_number(server, 42)
    assert server_processes(directory) == []

    with start_postgres(directory) as server:
        assert stored_numbers(server) == [42]
        assert stored_numbers(server, AIRFLOW_DRIVER) == [42]


@pytest.mark.parametrize("name", ["d" * 120, "a b$HOME'\"#%?ü"])
def test_server_starts_in_a_folder_whose_path_suits_no_socket(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name / "postgres"

    with start_postgres(directory) as server:
        store_number(server, 1)
        assert stored_numbers(server) == [1]
        assert stored_numbers(server, AIRFLOW_DRIVER) == [1]
        assert server.socket_directory != directory
    assert not server.socket_directory.exists()


def test_committed_rows_survive_kill_9_and_the_server_starts_again(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    server = start_postgres(directory)
    store_number(server, 7)
    os.kill(server_process_id(directory), signal.SIGKILL)

    with start_postgres(directory) as again:
        assert stored_numbers(again) == [7]
    assert server.stop()


def test_pid_file_that_names_a_stranger_is_no_obstacle(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with start_postgres(directory) as server:
        store_number(server, 7)
        pid_file = (directory / "postmaster.pid").read_text()
    stranger = str(os.getpid())
    (directory / "postmaster.pid").write_text("\n".join([stranger, *pid_file.splitlines()[1:]]))

    with start_postgres(directory) as server:
        assert stored_numbers(server) == [7]


def test_server_stays_until_the_last_user_leaves(tmp_path: Path) -> None:
    first = start_postgres(tmp_path / "postgres")
    second = start_postgres(tmp_path / "postgres")
    store_number(second, 3)

    assert not first.stop()
    assert stored_numbers(second) == [3]
    assert is_postgres_in_use(tmp_path / "postgres")
    assert second.stop()
    assert not is_postgres_in_use(tmp_path / "postgres")


def test_two_that_start_a_new_server_at_once_share_it(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(start_postgres, [directory, directory])
    store_number(first, 5)
    assert stored_numbers(second) == [5]
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(EmbeddedPostgres.stop, [first, second])) == [False, True]
    assert server_processes(directory) == []


def test_server_of_a_killed_user_is_joined_and_stopped(tmp_path: Path) -> None:
    directory = tmp_path / "postgres"
    program = (
        "import os, pathlib, sys\n"
        "from roi_local.postgres import start_postgres\n"
        "start_postgres(pathlib.Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "include")}
    killed = subprocess.run([sys.executable, "-c", program, str(directory)], env=environment)
    assert killed.returncode == -signal.SIGKILL
    left_behind = server_process_id(directory)

    server = start_postgres(directory)

    assert server_process_id(directory) == left_behind
    assert server.stop()
    assert server_processes(directory) == []


def test_databases_are_created_once_copied_and_dropped(postgres: EmbeddedPostgres) -> None:
    store_number(postgres, 5)
    postgres.create_database("numbers")
    assert stored_numbers(postgres) == [5]

    postgres.create_database("copy of numbers", template="numbers")
    postgres.drop_database("numbers")
    postgres.create_database("numbers", template="copy of numbers")

    assert stored_numbers(postgres) == [5]
    postgres.drop_database("numbers")
    postgres.drop_database("copy of numbers")


def test_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("mine")

    with pytest.raises(LocalError, match="expected a PostgreSQL data directory or nothing"):
        start_postgres(tmp_path / "postgres")

    assert [path.name for path in (tmp_path / "postgres").iterdir()] == ["letter.txt"]


def test_data_directory_is_closed_to_other_users(tmp_path: Path) -> None:
    with start_postgres(tmp_path / "postgres"):
        assert (tmp_path / "postgres").stat().st_mode & 0o077 == 0
