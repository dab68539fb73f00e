"""Folders, files and locks that belong to this user alone: never adopted from somebody else."""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from roi_forecast.files.artifacts import write_file
from roi_forecast.files.verified import KINDS_OF_FILE
from roi_local.errors import LocalError

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def create_private_folder(path: Path) -> None:
    """Create a folder that nobody else can enter, or check that an existing one is ours.

    An existing folder keeps its mode, and so do the folders above.

    Raises:
        LocalError: It is no folder, belongs to somebody else, or others may write there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _require_own_folder(path)


def resolve_own_path(path: Path) -> Path:
    """Return an absolute path without links, none of which another user may have put there.

    Raises:
        LocalError: A part of the path is a link of another user than root and ourselves.
    """
    for part in (path, *path.absolute().parents):
        if part.is_symlink() and (status := part.lstat()).st_uid not in (0, os.geteuid()):
            raise LocalError(f"{part}: received {_owned(status)}, which leads where he chooses")
    return path.resolve()


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read; it is complete or absent.

    Raises:
        LocalError: It cannot be written, for example since the name is that of a device or a link.
    """
    try:
        write_file(path, content.encode(), mode=0o600)
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror or error}") from error


def open_private_file(path: Path) -> IO[bytes]:
    """Open a file for reading and appending that only this user can open; it is created if missing.

    Raises:
        LocalError: It is no regular file, or it or its folder belongs to somebody else.
    """
    create_private_folder(path.parent)
    # Without O_NONBLOCK, opening a named pipe would wait for its other end.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise LocalError(f"{path}: cannot be opened ({error.strerror}); move it away") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise LocalError(
            f"{path}: received {_owned(status)}; expected a file of our own, move it away"
        )
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "a+b")


@contextmanager
def hold_lock(path: Path, refusal: str | None = None) -> Iterator[None]:
    """Hold the lock of a file; the kernel releases it however this process ends.

    Args:
        path: The lock file; it is created and stays, and no other user can open it.
        refusal: What to tell the person where another process holds the lock; None waits for it.

    Raises:
        LocalError: Another process holds the lock, or the file or its folder is not ours.
    """
    with open_private_file(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError:
            raise LocalError(refusal) from None
        yield


def is_locked(path: Path) -> bool:
    """Tell whether a process, this one included, holds the lock of a file.

    Raises:
        LocalError: The file or its folder is not ours.
    """
    if not path.exists():
        return False
    with open_private_file(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _require_own_folder(path: Path) -> None:
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise LocalError(
            f"{path}: received {_owned(status)}; expected a folder of {_user_name(os.geteuid())}, "
            "who runs this command: name another folder with ROI_HOME=..."
        )
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise LocalError(
            f"{path}: others may write there (mode {stat.S_IMODE(status.st_mode):o}); "
            f"run `chmod go-w {path}`, or name another folder with ROI_HOME=..."
        )


def _owned(status: os.stat_result) -> str:
    kind = KINDS_OF_FILE[stat.S_IFMT(status.st_mode)]
    return f"{kind} of {_user_name(status.st_uid)}"


def _user_name(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user with the number {number}"
