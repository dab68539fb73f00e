"""Writing files and directories in one step, and the manifest of a directory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from roi_forecast.errors import RoiForecastError
from roi_forecast.files.leftovers import being_written, is_partial, partial_path
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import KINDS_OF_FILE

PLOTS_DIRECTORY = "plots"
"""Folder of the plots of all versions of a model name."""
TENSORBOARD_DIRECTORY = "tensorboard"
"""Folder of TensorBoard's logs of a training. No manifest lists them and no published version
contains them, since they may change later."""


def confined(folder: Path, name: str | Path, error: type[RoiForecastError]) -> Path:
    """Return `folder / name` if it lies within the folder after following links.

    Args:
        folder: The folder; need not exist.
        name: A path relative to it, or absolute.
        error: The class of the error to raise.

    Raises:
        RoiForecastError: Of class `error`; the path leads out of the folder, or is the folder.
    """
    path = folder / name
    inside, outside = path.resolve(), folder.resolve()
    if inside == outside or not inside.is_relative_to(outside):
        raise error(f"received {str(name)!r}; expected a path within {folder}")
    return path


@contextmanager
def published_directory(destination: Path) -> Iterator[Path]:
    """Yield a working directory that becomes `destination` in one step when the block succeeds.

    The files are flushed to disk before the rename. If another process has published the same
    destination meanwhile, that one stays and this one is deleted. An error leaves nothing behind.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    working = partial_path(destination)
    working.mkdir()
    descriptor = os.open(working, os.O_RDONLY)
    try:
        with being_written(descriptor):
            yield working
            for path in sorted(working.rglob("*")):
                _flush(path)
            os.fsync(descriptor)
            try:
                working.rename(destination)
            except OSError:
                if not destination.is_dir():
                    raise
        _flush(destination.parent)
    finally:
        os.close(descriptor)
        shutil.rmtree(working, ignore_errors=True)


def write_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write or replace a file in one step: a reader sees the old or the new content, never a part.

    Args:
        path: The file.
        content: Its new content.
        mode: Permissions, restricted by the umask.

    Raises:
        OSError: See `written_file`.
    """
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


def write_manifest(directory: Path, content: Mapping[str, Any]) -> str:
    """Write the manifest of the directory's current files, and return the manifest's SHA-256.

    It omits links, TensorBoard logs and partial files of killed processes.
    """
    files = {
        path.relative_to(directory).as_posix(): checksum(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not is_partial(path)
        and path != directory / MANIFEST
        and TENSORBOARD_DIRECTORY not in path.relative_to(directory).parts
    }
    text = json.dumps({**content, "files": files}, indent=2, sort_keys=True) + "\n"
    write_file(directory / MANIFEST, text.encode())
    return checksum(directory / MANIFEST)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
