"""Partial files and folders that killed processes left behind.

Everything is written next to its destination under a name `.….partial` until it is complete. Its
writer holds a lock, which the kernel releases however the process ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

logger = logging.getLogger(__name__)

OLD = timedelta(days=1)
"""Leftovers younger than this stay, even if their writer is gone."""

_SUFFIX = ".partial"


@dataclass(frozen=True)
class Swept:
    """The number of deleted leftovers and their bytes on disk."""

    count: int
    freed_bytes: int


def partial_path(destination: Path) -> Path:
    """Return a unique name next to a destination to write to."""
    return destination.with_name(f".{destination.name}.{uuid4().hex}{_SUFFIX}")


def is_partial(path: Path) -> bool:
    """Return whether a path has a name from `partial_path`."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


@contextmanager
def being_written(descriptor: int) -> Iterator[None]:
    """Mark an open file or folder as being written until the block or the process ends."""
    # On a file system without locks, only the age decides.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    yield


def sweep_leftovers(folders: Iterable[Path], now: datetime) -> Swept:
    """Delete partial files of killed processes that are older than a day.

    A partial file of a living process stays however old it is.

    Args:
        folders: The folders to search recursively.
        now: The present, with time zone.
    """
    oldest = (now - OLD).timestamp()
    count = freed = 0
    for folder in folders:
        for path in list(_partial_paths(folder)):
            # It may have been completed since it was listed.
            with suppress(FileNotFoundError):
                if newest_change(path) >= oldest or _is_being_written(path):
                    continue
                size = size_of(path)
                if _is_folder(path):
                    shutil.rmtree(path)
                else:
                    path.unlink()
                logger.info("deleted %s, which a killed process left, %.1f MB", path, size / 1e6)
                count, freed = count + 1, freed + size
    return Swept(count, freed)


def newest_change(path: Path) -> float:
    """Return the time stamp of the last change of a file, or of anything below a folder."""
    return max(entry.lstat().st_mtime for entry in _with_all_below(path))


def size_of(path: Path) -> int:
    """Return the size of a file, or of all files below a folder, in bytes."""
    return sum(entry.lstat().st_size for entry in _with_all_below(path) if entry.is_file())


def _partial_paths(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if is_partial(path := Path(place, name)):
                yield path
        folders[:] = [name for name in folders if not name.endswith(_SUFFIX)]


def _with_all_below(path: Path) -> list[Path]:
    return [path, *path.rglob("*")] if _is_folder(path) else [path]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_being_written(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        # Links are created in one step.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
