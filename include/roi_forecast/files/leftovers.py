"""Half-written files and folders that killed processes left behind, and how to see that one lives.

Whatever is written beside its destination is named `.….partial` until it is whole. Its writer holds
a lock that the kernel releases however the process ends.
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
"""A leftover that was changed later stays, whether or not its writer lives."""

_SUFFIX = ".partial"


@dataclass(frozen=True)
class Swept:
    """What was deleted.

    Attributes:
        count: Leftovers.
        freed_bytes: What they took on disk.
    """

    count: int
    freed_bytes: int


def partial_path(destination: Path) -> Path:
    """Return a name of its own beside a destination for what is being written."""
    return destination.with_name(f".{destination.name}.{uuid4().hex}{_SUFFIX}")


def is_partial(path: Path) -> bool:
    """Tell whether a path has a name that `partial_path` gives."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


@contextmanager
def being_written(descriptor: int) -> Iterator[None]:
    """Show that an open file or folder is being written, until the block or the process ends."""
    # A file system without locks leaves the decision to the age.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    yield


def sweep_leftovers(folders: Iterable[Path], now: datetime) -> Swept:
    """Delete what killed processes left half-written, once it is a day old.

    What a living process writes stays however old it is: it might have been asleep.

    Args:
        folders: Where to look, with all folders below.
        now: The present, with time zone.
    """
    oldest = (now - OLD).timestamp()
    count = freed = 0
    for folder in folders:
        for path in list(_partial_paths(folder)):
            # It may have become whole since it was listed.
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
    """Return when a file, or the newest of all below a folder, was changed, as a time stamp."""
    return max(entry.lstat().st_mtime for entry in _with_all_below(path))


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
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
        # A link is made in one step.
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
