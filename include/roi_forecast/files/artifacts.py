"""Directories that are complete or absent, with a manifest that names the SHA-256 of every file."""

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
"""Folder of the pictures of all versions within that of their model name."""
TENSORBOARD_DIRECTORY = "tensorboard"
"""Folder of TensorBoard's logs within that of a training. They are for people, grow after the fact
and go with their candidate: no manifest lists them, and no published version carries them."""


def confined(folder: Path, name: str | Path, error: type[RoiForecastError]) -> Path:
    """Return `folder / name` where that lies in the folder, links followed.

    Args:
        folder: What must not be left; need not exist.
        name: A path relative to it, or absolute.
        error: The class of the error to raise.

    Raises:
        RoiForecastError: As the class given; the path leads out of the folder, or is the folder.
    """
    path = folder / name
    inside, outside = path.resolve(), folder.resolve()
    if inside == outside or not inside.is_relative_to(outside):
        raise error(f"received {str(name)!r}; expected a path that stays within {folder}")
    return path


@contextmanager
def published_directory(destination: Path) -> Iterator[Path]:
    """Give a working directory that becomes `destination` in one step when the block ends well.

    The files are flushed to disk before the rename. Where another process published the same
    destination meanwhile, that one stays and this one's work is dropped. After an error nothing
    is left behind.
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
    """Write a file in one step: a reader sees the old content or the new, never a part.

    Args:
        path: The file; one that is there is replaced.
        content: What it holds then.
        mode: Who may do what with it, less what the umask takes away.

    Raises:
        OSError: As `written_file`.
    """
    with written_file(path, mode=mode) as file:
        file.write(content)


@contextmanager
def written_file(path: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Give an open file that becomes `path` in one step when the block ends well.

    After an error the old content stays and nothing else is left behind.

    Raises:
        OSError: It cannot be written, or `require_regular_or_absent`.
    """
    require_regular_or_absent(path)
    working = partial_path(path)
    # A name of its own, but somebody who may write to the folder could still have guessed it.
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
    """Check that nothing but a regular file would be replaced at a path.

    Raises:
        OSError: There is something else: a link, wherever it leads, a device, a folder, a pipe.
    """
    with suppress(FileNotFoundError):
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind != stat.S_IFREG:
            found = KINDS_OF_FILE.get(kind, "no regular file")
            raise OSError(errno.EINVAL, f"it is {found}; name a regular file", str(path))


def write_manifest(directory: Path, content: Mapping[str, Any]) -> str:
    """Write the manifest over the directory's present files; return the manifest's SHA-256.

    Links are left out, and so are logs for TensorBoard and what a killed process left half-written.
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
