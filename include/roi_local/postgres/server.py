"""PostgreSQL from a wheel: a server for one machine, reached through a Unix socket.

If asked to, it also listens on a TCP port of 127.0.0.1, where one login gets in, by password.

Several processes may share the server of one data directory. Each holds a shared lock while it
uses the server, and the last one stops it. The kernel releases the lock of a killed process.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg
from psycopg import errors, sql

from roi_forecast.inherited import forget_postgres_settings
from roi_local.errors import LocalError
from roi_local.postgres.listener import Listener, listening_port
from roi_local.postgres.process import (
    SOCKET_NAME,
    clear_remains,
    cluster_name,
    is_running,
    stop_server,
)
from roi_local.postgres.programs import (
    SUPERUSER,
    create_data,
    delete_copy,
    last_line,
    server_log,
    server_programs,
    spawn,
)
from roi_local.private_files import hold_lock, is_locked, open_private_file

MARKET_DRIVER = "postgresql+psycopg"
AIRFLOW_DRIVER = "postgresql+psycopg2"

_MAX_SOCKET_PATH_BYTES = 107
_SETTINGS = {
    "listen_addresses": "",
    # The data directory itself, whose path may be too long for a socket: nobody else enters it.
    "unix_socket_directories": ".",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_START_SECONDS = 120

logger = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A running server that this process uses until `stop`, or as a context manager.

    Attributes:
        data_directory: Holds the data, which outlive the server.
        socket_directory: Where clients find the server's Unix socket.
    """

    def __init__(
        self,
        data_directory: Path,
        socket_directory: Path,
        users: IO[bytes],
        process: subprocess.Popen[bytes] | None,
        cleanup: ExitStack,
    ) -> None:
        self.data_directory = data_directory
        self.socket_directory = socket_directory
        self._users = users
        self._process = process
        self._cleanup = cleanup

    def url(self, database: str, driver: str = MARKET_DRIVER, login: str = SUPERUSER) -> str:
        """Return the SQLAlchemy URL of a database on this server."""
        return f"{driver}://{login}@/{quote(database, safe='')}?host={self.socket_directory}"

    def create_database(self, name: str, *, template: str = "template1") -> bool:
        """Create a database as a copy of `template`, unless it exists.

        Returns:
            Whether it is new.
        """
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        with _connect(self.socket_directory) as connection:
            if not _has_database(connection, name):
                with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                    connection.execute(statement)
                    return True
        return False

    def has_database(self, name: str) -> bool:
        """Tell whether a database exists."""
        with _connect(self.socket_directory) as connection:
            return _has_database(connection, name)

    def drop_database(self, name: str) -> None:
        """Delete a database if it is there, ending whatever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with _connect(self.socket_directory) as connection:
            connection.execute(statement.format(sql.Identifier(name)))

    def stop(self) -> bool:
        """Stop using the server, and stop it unless another process uses it; safe to call twice.

        Returns:
            Whether the server is down.
        """
        if self._users.closed:
            return not is_running(self.data_directory)
        with self._cleanup, _exclusively(self.data_directory), self._users:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            stop_server(self.data_directory)
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


def start_postgres(data_directory: Path, listener: Listener | None = None) -> EmbeddedPostgres:
    """Start the server of a data directory, or join a running one; creates the data once.

    PostgreSQL refuses to run as root, so for root it runs as the system user `pgserver`. Only the
    data directory is opened to that user, who owns it.

    Args:
        data_directory: Folder that holds nothing but this server's data; may not exist yet.
        listener: Where the server has to listen besides; None leaves that to who starts it.

    Raises:
        LocalError: The server did not start (the message ends with its last log line), it runs
            already without the listener, or the folder of the data directory is not ours.
    """
    data_directory = data_directory.resolve()
    with _exclusively(data_directory), ExitStack() as cleanup:
        socket_directory = cleanup.enter_context(_socket_directory(data_directory))
        users = open_private_file(_lock_path(data_directory, "users"))
        process = None
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            if not _answers(data_directory, socket_directory, lambda: is_running(data_directory)):
                process = _create_and_start(data_directory, socket_directory, listener)
            elif listener and listening_port(data_directory) != listener.port:
                raise LocalError(
                    f"PostgreSQL runs already, and not on port {listener.port}: end `make up` and "
                    "whatever else uses it, and start them again after this"
                )
        except BaseException:
            users.close()
            raise
        return EmbeddedPostgres(data_directory, socket_directory, users, process, cleanup.pop_all())


def is_postgres_in_use(data_directory: Path) -> bool:
    """Tell whether any process, this one included, uses the server of a data directory."""
    return is_locked(_lock_path(data_directory.resolve(), "users"))


def _lock_path(data_directory: Path, purpose: str) -> Path:
    return data_directory.with_name(f"{data_directory.name}.{purpose}.lock")


@contextmanager
def _socket_directory(data_directory: Path) -> Iterator[Path]:
    """Yield a path of the data directory that is short and plain enough for sockets and URLs.

    If its own is not, that is a link to it in a new folder that nobody else can enter.
    """
    if _suits_sockets(data_directory):
        yield data_directory
        return
    with TemporaryDirectory(prefix="roi-") as folder:
        link = Path(folder, "postgres")
        if not _suits_sockets(link):
            raise LocalError(
                f"TMPDIR: {gettempdir()!r} is too long for a socket, or has other characters than "
                "letters, digits, . _ - and /; name another folder"
            )
        link.symlink_to(data_directory)
        yield link


def _suits_sockets(directory: Path) -> bool:
    path = str(directory / SOCKET_NAME)
    short = len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES
    return short and re.fullmatch(r"[A-Za-z0-9/._-]+", path) is not None


def _exclusively(data_directory: Path) -> AbstractContextManager[None]:
    """Let one process at a time start, join or stop the server."""
    return hold_lock(_lock_path(data_directory, "change"))


def _create_and_start(
    data_directory: Path, socket_directory: Path, listener: Listener | None
) -> subprocess.Popen[bytes]:
    clear_remains(data_directory)
    programs = server_programs()
    try:
        create_data(data_directory, programs)
        return _start_server(data_directory, socket_directory, programs, listener)
    except BaseException:
        delete_copy(programs)
        raise


def _start_server(
    data_directory: Path, socket_directory: Path, programs: Path, listener: Listener | None
) -> subprocess.Popen[bytes]:
    settings = {**_SETTINGS, "cluster_name": cluster_name(data_directory)}
    if listener:
        settings |= listener.prepare(data_directory)
    log_path = server_log(data_directory)
    command = [str(programs / "bin" / "postgres")]
    with log_path.open("ab") as log:
        # Its own session keeps a Ctrl-C in the terminal from stopping it under its users.
        process = spawn(command, data_directory, log, settings=settings, own_session=True)
    try:
        if _answers(data_directory, socket_directory, lambda: process.poll() is None):
            return process
    except LocalError:
        process.send_signal(signal.SIGQUIT)
        process.wait()
        raise
    raise LocalError(f"PostgreSQL did not start: {last_line(log_path)} (log: {log_path})")


def _answers(data_directory: Path, socket_directory: Path, is_alive: Callable[[], bool]) -> bool:
    """Tell whether the server accepts connections, waiting while it runs but is not ready."""
    deadline = time.monotonic() + _START_SECONDS
    while is_alive():
        try:
            _connect(socket_directory).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise LocalError(
                    f"PostgreSQL runs on {data_directory} but was not ready after "
                    f"{_START_SECONDS} s (log: {server_log(data_directory)})"
                ) from error
            time.sleep(0.05)
        else:
            return True
    return False


def _has_database(connection: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return known.fetchone() is not None


def _connect(socket_directory: Path) -> psycopg.Connection[tuple[object, ...]]:
    forget_postgres_settings()
    return psycopg.connect(
        host=str(socket_directory), user=SUPERUSER, dbname="postgres", autocommit=True
    )
