"""The processes of a PostgreSQL server: finding them, stopping them, clearing up after them."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from roi_local.errors import LocalError
from roi_local.postgres.programs import delete_copy, server_log, system_user

SOCKET_NAME = ".s.PGSQL.5432"

_STOP_SECONDS = 60


def stop_server(data_directory: Path) -> None:
    """Stop by PostgreSQL's "fast" mode (SIGINT), or at once (SIGQUIT) if that takes too long.

    Raises:
        LocalError: It does not stop.
    """
    server = _server_process(data_directory)
    if server is None:
        return
    if not any(_end([server], sign) for sign in (signal.SIGINT, signal.SIGQUIT)):
        raise LocalError(
            f"PostgreSQL (process {server.pid}) does not stop; "
            f"its log: {server_log(data_directory)}"
        )
    _delete_copied_programs(data_directory)


def _end(processes: list[psutil.Process], sign: signal.Signals) -> bool:
    """Send a signal and tell whether all processes end in time."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
    deadline = time.monotonic() + _STOP_SECONDS
    while not (ended := all(map(_has_ended, processes))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return ended


def _has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone; reaps a child of ours."""
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_running(data_directory: Path) -> bool:
    """Tell whether the server of a data directory runs, ready or not."""
    return _server_process(data_directory) is not None


def _server_process(data_directory: Path) -> psutil.Process | None:
    """Return the server that postmaster.pid names, if that process really is this server."""
    try:
        lines = (data_directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        process = psutil.Process(int(lines[0]))
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None
    return process if _serves(process, data_directory) else None


def cluster_name(data_directory: Path) -> str:
    """Return the name that the command line of every process of the server shows."""
    return f"roi-{hashlib.sha256(os.fsencode(data_directory)).hexdigest()[:16]}"


def _serves(process: psutil.Process, data_directory: Path) -> bool:
    # Root without the right to trace (as in a container) sees the command line of another user's
    # process, but not its working directory.
    owner = system_user()
    expected = os.geteuid() if owner is None else owner.pw_uid
    try:
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and process.uids().effective == expected
            and cluster_name(data_directory) in " ".join(process.cmdline())
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def clear_remains(data_directory: Path) -> None:
    """Remove what a killed server left: its workers, pid files and copied programs.

    PostgreSQL takes a pid file for a running server if any process has that id, even one that only
    waits to be reaped, so the files are removed once nobody uses the data.
    """
    remains = [process for process in psutil.process_iter() if _serves(process, data_directory)]
    _end(remains, signal.SIGQUIT)
    for path in (data_directory / "postmaster.pid", *data_directory.glob(".s.PGSQL.*.lock")):
        path.unlink(missing_ok=True)
    _delete_copied_programs(data_directory)


def _delete_copied_programs(data_directory: Path) -> None:
    # The server writes its command line to this file when it starts.
    options = data_directory / "postmaster.opts"
    if options.exists():
        with suppress(IndexError, ValueError):
            started = shlex.split(options.read_text(encoding="utf-8"))[0]
            delete_copy(Path(started).parents[1])
