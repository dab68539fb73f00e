"""Files and folders of the data folder: written in one step, listed in a manifest, deleted.

What differs between a file system and an object store is decided here and next to here alone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any, cast

from roi_forecast.data_path import DataPath, PathOrUrl
from roi_forecast.errors import RoiForecastError
from roi_forecast.files import objects
from roi_forecast.files.leftovers import (
    being_written,
    is_partial,
    local_folder,
    partial_path,
    size_of,
    working_folder,
)
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import KINDS_OF_FILE

PLOTS_DIRECTORY = "plots"
"""Folder of the plots of all versions of a model name."""
TENSORBOARD_DIRECTORY = "tensorboard"
"""Folder of TensorBoard's logs of a training. No manifest lists them and no published version
contains them, since they may change later."""


def confined(folder: PathOrUrl, name: str | PurePath, error: type[RoiForecastError]) -> PathOrUrl:
    """Return `folder / name` if it lies within the folder after following links.

    Args:
        folder: The folder; need not exist.
        name: A path relative to it, or absolute.
        error: The class of the error to raise.

    Raises:
        RoiForecastError: Of class `error`; the path leads out of the folder, or is the folder.
    """
    if isinstance(folder, Path):
        path = folder / name
        inside, outside = path.resolve(), folder.resolve()
        if inside != outside and inside.is_relative_to(outside):
            return cast("PathOrUrl", path)
    else:
        parts = PurePosixPath(name).parts
        if parts and not {"/", ".."} & {*parts}:
            return cast("PathOrUrl", folder / PurePosixPath(name).as_posix())
    raise error(f"received {str(name)!r}; expected a path within {folder}")


@contextmanager
def published_directory(destination: DataPath) -> Iterator[Path]:
    """Yield a local working directory that becomes `destination` in one step at the end.

    If another process has published the same destination meanwhile, that one stays and this one is
    deleted. An error leaves nothing behind that counts.

    On a file system the files are flushed to disk before the rename. To an object store they are
    copied before the manifest, which the block must have written.

    Raises:
        OSError: The files cannot be written.
    """
    if not isinstance(destination, Path):
        with local_folder() as working:
            yield working
            objects.upload_folder(working, destination, partial_path(destination))
        return
    with working_folder(destination) as working:
        yield working
        for path in sorted(working.rglob("*")):
            _flush(path)
        _flush(working)
        try:
            working.rename(destination)
        except OSError:
            if not destination.is_dir():
                raise
    _flush(destination.parent)


def is_published(folder: DataPath) -> bool:
    """Tell whether a folder that is whole or absent is there.

    Raises:
        OSError: The object store does not answer.
    """
    return folder.is_dir() if isinstance(folder, Path) else has_manifest(folder)


def has_manifest(folder: DataPath) -> bool:
    """Tell whether a folder has a manifest, sound or not.

    Raises:
        OSError: The object store does not answer.
    """
    path = folder / MANIFEST
    return path.exists() if isinstance(path, Path) else objects.exists(path)


def delete_folder(folder: DataPath) -> int:
    """Delete a folder, in one step for its readers; return the bytes that its files took.

    A kill leaves nothing that counts; see `sweep_leftovers`. A missing folder is no error.

    Raises:
        OSError: It cannot be deleted.
    """
    if not isinstance(folder, Path):
        return objects.delete_objects(folder, partial_path(folder))
    leaving = partial_path(folder)
    try:
        folder.rename(leaving)
    except FileNotFoundError:
        return 0
    size = size_of(leaving)
    # On a network file system, files that are open elsewhere may stay for now.
    shutil.rmtree(leaving, ignore_errors=True)
    return size


def whole_folders(directory: DataPath) -> list[DataPath]:
    """Return the folders in a directory by name, except those being written or deleted.

    Raises:
        OSError: The object store does not answer.
    """
    if not isinstance(directory, Path):
        return [path for path in objects.list_folders(directory) if not path.name.startswith(".")]
    if not directory.is_dir():
        return []
    found = (path for path in directory.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path for path in found if not path.name.startswith("."))


def files_below(folder: DataPath) -> list[str]:
    """Return the files below a folder, by name relative to it; no links and no partial files.

    Raises:
        OSError: The object store does not answer.
    """
    if isinstance(folder, Path):
        found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        names = sorted(path.relative_to(folder).as_posix() for path in found)
    else:
        listed = objects.list_objects(folder)
        names = [item.path.relative_to(folder).as_posix() for item in listed]
    return [name for name in names if not any(map(is_partial, PurePosixPath(name).parts))]


def create_folder(folder: DataPath) -> None:
    """Create a folder and those above it; an object store has none to create."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def read_file(path: DataPath) -> bytes:
    """Return the bytes of a file, whatever they are; see `VerifiedDirectory` for checked ones.

    Raises:
        OSError: It is missing or cannot be read.
    """
    return path.read_bytes() if isinstance(path, Path) else objects.read_object(path)


def copy_out(path: DataPath, destination: Path) -> None:
    """Copy a file of any size into a new local one.

    Raises:
        OSError: A file cannot be read or written.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path):
        shutil.copy2(path, destination)
    else:
        objects.download(path, destination)


def delete_file(path: DataPath) -> None:
    """Delete a file if it is there.

    Raises:
        OSError: It cannot be deleted.
    """
    if isinstance(path, Path):
        path.unlink(missing_ok=True)
    else:
        objects.delete_object(path)


def write_file(path: DataPath, content: bytes, *, mode: int = 0o666) -> None:
    """Write or replace a file in one step: a reader sees the old or the new content, never a part.

    Args:
        path: The file.
        content: Its new content.
        mode: Permissions on a file system, restricted by the umask.

    Raises:
        OSError: See `written_file`, or the object store does not answer.
    """
    if not isinstance(path, Path):
        objects.write_object(path, content)
        return
    with written_file(path, mode=mode) as file:
        file.write(content)


@contextmanager
def written_file(path: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Yield an open file that becomes `path` in one step when the block succeeds.

    An error leaves the old content and nothing else.

    Raises:
        OSError: The file cannot be written, or see `require_regular_or_absent`.
    """
    require_regular_or_absent(path)
    working = partial_path(path)
    # O_EXCL and O_NOFOLLOW in case somebody with access to the folder has guessed the name.
    descriptor = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file, being_written(descriptor):
            yield file
            file.flush()
            os.fsync(file.fileno())
            working.replace(path)
        _flush(path.parent)
    finally:
        working.unlink(missing_ok=True)


def require_regular_or_absent(path: Path) -> None:
    """Check that a path is a regular file or does not exist.

    Raises:
        OSError: It is something else: a link, wherever it leads, a device, a folder, a pipe.
    """
    with suppress(FileNotFoundError):
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind != stat.S_IFREG:
            raise OSError(
                errno.EINVAL, f"it is {KINDS_OF_FILE[kind]}; name a regular file", str(path)
            )


def write_manifest(directory: DataPath, content: Mapping[str, Any]) -> str:
    """Write the manifest of the directory's current files, and return the manifest's SHA-256.

    It omits links, TensorBoard logs and partial files of killed processes.
    """
    files = {
        name: checksum(directory / name)
        for name in files_below(directory)
        if name != MANIFEST and TENSORBOARD_DIRECTORY not in PurePosixPath(name).parts
    }
    text = json.dumps({**content, "files": files}, indent=2, sort_keys=True) + "\n"
    write_file(directory / MANIFEST, text.encode())
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(path: DataPath) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    if not isinstance(path, Path):
        return hashlib.sha256(objects.read_object(path)).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems flush no folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
