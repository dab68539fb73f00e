"""Partial files and folders that killed processes left behind.

Everything is written next to its destination under a name `.….partial` until it is complete. Its
writer holds a lock, which the kernel releases however the process ends. In an object store an empty
object of such a name lies next to a folder that is being written or deleted.

Several hosts may share the data folder, and one may not see another's locks. So the name says which
host writes, what another host writes stays longer, and ages are by the file server's clock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

from roi_forecast.data_path import DataPath, PathOrUrl
from roi_forecast.files import objects
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.local_cache import cache_directory

logger = logging.getLogger(__name__)

OLD = timedelta(days=1)
"""Leftovers younger than this stay, even if their writer is gone."""

OLD_ELSEWHERE = timedelta(days=7)
"""Likewise those of other hosts, whose processes and locks may be out of sight."""

_PARTIAL = re.compile(r"\.(?P<name>.+)\.(?P<host>[A-Za-z0-9-]+)\.[0-9a-f]{32}\.partial")
_HOST_LETTERS = 32


@dataclass(frozen=True)
class Swept:
    """The number of deleted leftovers and their bytes on disk."""

    count: int
    freed_bytes: int


def partial_path(destination: PathOrUrl) -> PathOrUrl:
    """Return a unique name next to a destination to write to, which says who writes."""
    name = f".{destination.name}.{_host()}.{uuid4().hex}.partial"
    return cast("PathOrUrl", destination.with_name(name))


def is_partial(name: str) -> bool:
    """Return whether a file or folder has a name from `partial_path`."""
    return _PARTIAL.fullmatch(name) is not None


@contextmanager
def being_written(descriptor: int) -> Iterator[None]:
    """Mark an open file or folder as being written until the block or the process ends."""
    # On a file system without locks, only the age decides. NFS refuses a shared lock on a file that
    # is open for writing only.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield


@contextmanager
def working_folder(destination: Path) -> Iterator[Path]:
    """Yield a new folder next to a destination, deleted at the end unless it was renamed.

    Raises:
        OSError: It cannot be created.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    working = partial_path(destination)
    working.mkdir()
    descriptor = os.open(working, os.O_RDONLY)
    try:
        with being_written(descriptor):
            yield working
    finally:
        os.close(descriptor)
        shutil.rmtree(working, ignore_errors=True)


@contextmanager
def local_folder() -> Iterator[Path]:
    """Yield a new folder on this host, deleted at the end, and first those of killed processes.

    Raises:
        OSError: It cannot be created.
    """
    destination = cache_directory() / "working" / "folder"
    with working_folder(destination) as folder:
        sweep_leftovers([destination.parent])
        yield folder


def sweep_leftovers(folders: Iterable[DataPath]) -> Swept:
    """Delete what killed processes left half-written or half-deleted, once it is old.

    A partial file of a living process of this host stays however old it is.

    Args:
        folders: The folders to search recursively.

    Raises:
        OSError: The object store does not answer.
    """
    count = freed = 0
    for folder in folders:
        found = list(_partial_paths(folder))
        now = server_time(folder) if found else 0.0
        for path in found:
            # It may have been completed since it was listed.
            with suppress(FileNotFoundError):
                allowed = OLD if _part(path, "host") == _host() else OLD_ELSEWHERE
                if now - _last_sign(path) < allowed.total_seconds() or _is_being_written(path):
                    continue
                size = _delete(path)
                logger.info("deleted %s, which a killed process left, %.1f MB", path, size / 1e6)
                count, freed = count + 1, freed + size
    return Swept(count, freed)


def server_time(folder: DataPath) -> float:
    """Return the present as a time stamp of the server that holds a folder; it must exist.

    Raises:
        OSError: Nothing can be written into the folder.
    """
    probe = partial_path(folder / "clock")
    if not isinstance(probe, Path):
        objects.write_object(probe, b"")
        moment = newest_change(probe)
        objects.delete_object(probe)
        return moment
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def newest_change(path: DataPath) -> float:
    """Return the time stamp of the last change of a file, or of anything below a folder.

    Raises:
        FileNotFoundError: There is nothing.
    """
    if isinstance(path, Path):
        return max(entry.lstat().st_mtime for entry in _with_all_below(path))
    return objects.newest_change(path)


def size_of(path: Path) -> int:
    """Return the size of a file, or of all files below a folder, in bytes."""
    return sum(entry.lstat().st_size for entry in _with_all_below(path) if entry.is_file())


def _host() -> str:
    # Of a pod's long name, the end is its own.
    return re.sub("[^A-Za-z0-9-]", "-", socket.gethostname())[-_HOST_LETTERS:] or "unnamed"


def _part(partial: DataPath, name: str) -> str:
    match = _PARTIAL.fullmatch(partial.name)
    return match[name] if match else ""


def _last_sign(partial: DataPath) -> float:
    """Return when a leftover, or the folder that a mark is about, was last written to."""
    if isinstance(partial, Path):
        return newest_change(partial)
    folder = partial.with_name(_part(partial, "name"))
    about = {item.path: item.changed_at for item in objects.list_objects(partial.parent)}
    return max(at for path, at in about.items() if path == partial or folder in path.parents)


def _delete(partial: DataPath) -> int:
    if not isinstance(partial, Path):
        folder, size = partial.with_name(_part(partial, "name")), 0
        if not objects.exists(folder / MANIFEST):
            size = objects.delete_objects(folder, partial)
        objects.delete_object(partial)
        return size
    size = size_of(partial)
    if _is_folder(partial):
        shutil.rmtree(partial)
    else:
        partial.unlink()
    return size


def _partial_paths(folder: DataPath) -> Iterator[DataPath]:
    if not isinstance(folder, Path):
        yield from (it.path for it in objects.list_objects(folder) if is_partial(it.path.name))
        return
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if is_partial(name):
                yield Path(place, name)
        folders[:] = [name for name in folders if not is_partial(name)]


def _with_all_below(path: Path) -> list[Path]:
    return [path, *path.rglob("*")] if _is_folder(path) else [path]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_being_written(path: DataPath) -> bool:
    if not isinstance(path, Path):
        return False
    try:
        # NFS gives an exclusive lock only on a file that is open for writing.
        access = os.O_RDONLY if path.is_dir() else os.O_RDWR
        descriptor = os.open(path, access | os.O_NOFOLLOW)
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
