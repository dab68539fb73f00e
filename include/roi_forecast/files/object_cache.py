"""Copies of objects on this machine, so that not every process downloads them again.

A copy is named after the object's path and revision, so one that has changed is not found. Readers
check SHA-256s, so a damaged copy is noticed. Anything here may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from roi_forecast.files.objects import download, revision
from roi_forecast.local_cache import cache_directory

if TYPE_CHECKING:
    from upath import UPath

MAX_BYTES = 4 * 2**30
"""Largest size of all copies together; those that were not read for longest go first."""


def open_copy(path: UPath, *, again: bool = False) -> IO[bytes]:
    """Open a copy of an object, after downloading it if there is none of its present revision.

    Args:
        path: The object.
        again: Download it in any case, since the copy is damaged.

    Raises:
        OSError: The object is missing, the store does not answer, or the copy cannot be written.
    """
    folder = cache_directory() / "objects"
    folder.mkdir(exist_ok=True)
    name = hashlib.sha256(f"{path}\n{revision(path)}".encode()).hexdigest()
    copy = folder / name
    if not again:
        with suppress(FileNotFoundError):
            file = copy.open("rb")
            # By this the copies that are read stay.
            os.utime(file.fileno())
            return file
    working = folder / f"{name}.{uuid4().hex}"
    try:
        download(path, working)
        _make_room(folder)
        # Opened before another process may delete it.
        file = working.open("rb")
        working.replace(copy)
    except BaseException:
        working.unlink(missing_ok=True)
        raise
    return file


def _make_room(folder: Path) -> None:
    """Delete what was not read for longest, until MAX_BYTES are left."""
    found = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.lstat()
            found.append((status.st_mtime, status.st_size, path))
    excess = sum(size for _, size, _ in found) - MAX_BYTES
    for _, size, path in sorted(found):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size
