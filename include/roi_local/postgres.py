"""PostgreSQL out of a wheel: a server for one machine, reached through a Unix socket only.

Several processes may share the server of one data directory. Each holds a shared lock while it
uses the server, and the last one to leave stops it; a killed process lets go of its lock by dying.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import errors, sql

from roi_local.errors import LocalError
from roi_local.postgres_programs import (
    SOCKET_NAME,
    SUPERUSER,
    choose_socket_directory,
    create_data,
    last_line,
    program,
    server_log,
    spawn,
)

MARKET_DRIVER = "postgresql+psycopg"
AIRFLOW_DRIVER = "postgresql+psycopg2"

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_START_SECONDS = 120
_STOP_SECONDS = 60

logger = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A running server that this process has joined; leave it with `stop` or as a context manager.

    Attributes:
        data_directory: Where the rows lie; they outlive the server.
        socket_directory: Where the server's Unix socket lies.
    """

    def __init__(
        self,
        data_directory: Path,
        socket_directory: Path,
        users: IO[bytes],
        process: subprocess.Popen[bytes] | None,
    ) -> None:
        self.data_directory = data_directory
        self.socket_directory = socket_directory
        self._users = users
        self._process = process

    def url(self, database: str, driver: str = MARKET_DRIVER, login: str = SUPERUSER) -> str:
        """Return the SQLAlchemy URL of a database on this server."""
        return f"{driver}://{login}@/{quote(database, safe='')}?host={self.socket_directory}"

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create a database as a copy of `template`, unless it is there already."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        with _connect(self.socket_directory) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                    connection.execute(statement)

    def drop_database(self, name: str) -> None:
        """Delete a database if it is there, ending whatever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with _connect(self.socket_directory) as connection:
            connection.execute(statement.format(sql.Identifier(name)))

    def stop(self) -> bool:
        """Leave the server, and stop it unless another process uses it; safe to call twice.

        Returns:
            Whether the server is down now.
        """
        if self._users.closed:
            return not _is_running(self.data_directory)
        with _exclusively(self.data_directory), self._users:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            _stop_server(self.data_directory)
            if self.socket_directory != self.data_directory:
                with suppress(OSError):
                    self.socket_directory.rmdir()
            if self._process is not None:
                self._process.poll()
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start_postgres(data_directory: Path) -> EmbeddedPostgres:
    """Start the server of a data directory, or join it where it runs; creates the data once.

    As root the server runs as the system user `pgserver`, since PostgreSQL refuses to run as root.

    Args:
        data_directory: Folder that holds nothing but this server's data; may not exist yet.

    Raises:
        LocalError: The server did not start; the message ends with its last log line.
    """
    data_directory = data_directory.resolve()
    data_directory.parent.mkdir(parents=True, exist_ok=True)
    with _exclusively(data_directory):
        users = _open_lock(data_directory, "users")
        process = None
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            socket_directory = choose_socket_directory(data_directory)
            if not _answers(data_directory, socket_directory):
                create_data(data_directory)
                process = _start_server(data_directory, socket_directory)
        except BaseException:
            users.close()
            raise
    return EmbeddedPostgres(data_directory, socket_directory, users, process)


def is_postgres_in_use(data_directory: Path) -> bool:
    """Tell whether any process, this one included, has joined the server of a data directory."""
    if not _lock_path(data_directory.resolve(), "users").exists():
        return False
    with _open_lock(data_directory.resolve(), "users") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_path(data_directory: Path, purpose: str) -> Path:
    return data_directory.with_name(f"{data_directory.name}.{purpose}.lock")


def _open_lock(data_directory: Path, purpose: str) -> IO[bytes]:
    return _lock_path(data_directory, purpose).open("ab")


@contextmanager
def _exclusively(data_directory: Path) -> Iterator[None]:
    """Let one process at a time start, join or stop the server."""
    with _open_lock(data_directory, "change") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start_server(data_directory: Path, socket_directory: Path) -> subprocess.Popen[bytes]:
    _clear_remains(data_directory, socket_directory)
    settings = {**_SETTINGS, "unix_socket_directories": str(socket_directory)}
    command = [str(program("postgres")), "-D", str(data_directory)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log_path = server_log(data_directory)
    with log_path.open("ab") as log:
        # Its own session keeps a Ctrl-C in the terminal from stopping it under its users.
        process = spawn(command, data_directory, log, own_session=True)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        if process.poll() is not None:
            raise LocalError(f"PostgreSQL did not start: {last_line(log_path)} (log: {log_path})")
        try:
            _connect(socket_directory).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGQUIT)
                process.wait()
                raise LocalError(
                    f"PostgreSQL was not ready after {_START_SECONDS} s (log: {log_path})"
                ) from error
            time.sleep(0.05)
        else:
            return process


def _stop_server(data_directory: Path) -> None:
    """Stop by PostgreSQL's "fast" mode (SIGINT), and at once (SIGQUIT) if that takes too long."""
    server = _server_process(data_directory)
    if server is None:
        return
    for sign in (signal.SIGINT, signal.SIGQUIT):
        with suppress(psutil.NoSuchProcess):
            server.send_signal(sign)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if _has_ended(server):
                return
            time.sleep(0.02)
    raise LocalError(
        f"PostgreSQL (process {server.pid}) does not stop; its log: {server_log(data_directory)}"
    )


def _has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone; our own ended child is reaped on the way."""
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_running(data_directory: Path) -> bool:
    return _server_process(data_directory) is not None


def _answers(data_directory: Path, socket_directory: Path) -> bool:
    """Tell whether the server accepts connections, waiting while it starts or is about to end."""
    deadline = time.monotonic() + _START_SECONDS
    while _is_running(data_directory):
        try:
            _connect(socket_directory).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise LocalError(
                    f"PostgreSQL runs on {data_directory} but did not answer in {_START_SECONDS} s "
                    f"(log: {server_log(data_directory)})"
                ) from error
            time.sleep(0.05)
        else:
            return True
    return False


def _server_process(data_directory: Path) -> psutil.Process | None:
    """Return the server that postmaster.pid names, if that process really is this server."""
    try:
        lines = (data_directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        process = psutil.Process(int(lines[0]))
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None
    return process if _serves(process, data_directory) else None


def _serves(process: psutil.Process, data_directory: Path) -> bool:
    try:
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()) == data_directory
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _clear_remains(data_directory: Path, socket_directory: Path) -> None:
    """Remove what a killed server left: workers that still end, and its pid files.

    PostgreSQL takes a pid file for a running server if any process has that id, even one that is
    only waiting to be reaped, so the files go once it is known that nobody uses the data.
    """
    workers = [process for process in psutil.process_iter() if _serves(process, data_directory)]
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(signal.SIGQUIT)
    deadline = time.monotonic() + _STOP_SECONDS
    while not all(_has_ended(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    (data_directory / "postmaster.pid").unlink(missing_ok=True)
    (socket_directory / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)


def _connect(socket_directory: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    )
