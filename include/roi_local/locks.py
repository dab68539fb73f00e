"""Locks between processes, which the kernel releases however their holder ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roi_local.errors import LocalError
from roi_local.private_files import open_private_file


@contextmanager
def hold_lock(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of a file, or refuse at once.

    Args:
        path: The lock file; it is created and stays, and no other user can open it.
        refusal: What to tell the person where another process holds the lock.

    Raises:
        LocalError: Another process holds the lock, or the file or its folder is not ours.
    """
    with open_private_file(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
