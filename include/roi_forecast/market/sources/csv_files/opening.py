"""Reading a file that somebody else may have written: confined, regular and of bounded size.

The file must be a regular file within the allowed folder after following links. The checks apply to
the opened file itself, so swapping it in between gains nothing.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.files.verified import KINDS_OF_FILE
from roi_forecast.quoting import named

MIB = 2**20

MAX_LINE = 2**20
"""Characters of one line; five thousand assets side by side take 300,000."""

MAX_UNPACKED = 100
"""Largest ratio of unpacked to packed size of a gzip file; prices reach about 5."""

_ALWAYS_UNPACKED = MIB
_GZIP_MAGIC = b"\x1f\x8b"
_KERNEL_FOLDERS = (Path("/dev"), Path("/proc"), Path("/sys"))


@contextmanager
def opened_lines(path: Path, allowed: Path, max_bytes: int) -> Iterator[Iterator[tuple[int, str]]]:
    """Open a text file, plain or gzip, and yield an iterator over its lines.

    Args:
        path: The file, or a link to it.
        allowed: Folder that must contain the file after following links.
        max_bytes: Maximum bytes read, after unpacking.

    Yields:
        Line numbers from 1 and lines without line ends. Bytes that are not UTF-8 become lone
        surrogates, so that they invalidate only their line.

    Raises:
        SourceUnavailableError: The file does not exist or cannot be read now.
        SourceDataError: The file may not be read. Or, while iterating: it is too large, is not
            complete gzip, or has too long a line.
    """
    with _open_beneath(path, allowed) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise _too_large(path, max_bytes)
        yield enumerate(_lines(file, path, max_bytes), start=1)


def _open_beneath(path: Path, allowed: Path) -> io.BufferedReader:
    name = named(path)
    try:
        folder, target = (Path(os.path.realpath(p, strict=True)) for p in (allowed, path))
        if not target.is_relative_to(folder) or target == folder:
            raise SourceDataError(
                f"{name}: leads out of {named(folder)}, the folder for price files; put the "
                "file itself there"
            )
        if any(target.is_relative_to(kernel) for kernel in _KERNEL_FOLDERS):
            raise SourceDataError(
                f"{name}: leads into a folder of the kernel, which holds no prices"
            )
        return _descend(folder, target.relative_to(folder).parts, name)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise SourceDataError(f"{name}: a link to nothing; remove it") from error
        raise SourceUnavailableError(
            f"{name}: no such file or folder on this machine; csv_path must be a path that the "
            "workers see"
        ) from error
    except OSError as error:
        raise _not_readable(name, error) from error


def _descend(folder: Path, parts: tuple[str, ...], name: str) -> io.BufferedReader:
    """Open a file step by step from its folder, never following a link."""
    inner = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    parent = os.open(folder, inner)
    try:
        for part in parts[:-1]:
            outer, parent = parent, os.open(part, inner, dir_fd=parent)
            os.close(outer)
        _require_regular(os.stat(parts[-1], dir_fd=parent, follow_symlinks=False), name)
        # O_NONBLOCK in case a FIFO has replaced the file meanwhile.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        file = os.fdopen(os.open(parts[-1], flags, dir_fd=parent), "rb")
    finally:
        os.close(parent)
    try:
        _require_regular(os.fstat(file.fileno()), name)
    except SourceDataError:
        file.close()
        raise
    return file


def _require_regular(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS_OF_FILE[stat.S_IFMT(status.st_mode)]
        raise SourceDataError(f"{name}: {kind}; expected a regular file")


class _Bounded(io.RawIOBase):
    """Reads from another file and fails after a number of bytes."""

    def __init__(
        self, source: io.BufferedReader | gzip.GzipFile, path: Path, max_bytes: int
    ) -> None:
        self._source, self._path, self._max_bytes = source, path, max_bytes
        self._left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        # read1, so that data before a fault in the file is not lost.
        content = self._source.read1(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise _too_large(self._path, self._max_bytes)
        buffer[: len(content)] = content
        return len(content)


def _lines(file: io.BufferedReader, path: Path, max_bytes: int) -> Iterator[str]:
    name = named(path)
    number = 0
    try:
        source: io.BufferedReader | gzip.GzipFile = file
        if file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC:
            source = gzip.GzipFile(fileobj=file)
            unpacked = MAX_UNPACKED * os.fstat(file.fileno()).st_size
            max_bytes = min(max_bytes, max(unpacked, _ALWAYS_UNPACKED))
        file.seek(0)
        bounded = io.BufferedReader(_Bounded(source, path, max_bytes), buffer_size=2**17)
        text = io.TextIOWrapper(bounded, encoding="utf-8-sig", errors="surrogateescape")
        while line := text.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise SourceDataError(
                    f"{name}, line {number}: longer than {MAX_LINE:,} characters; expected one "
                    "bar per line"
                )
            yield line.rstrip("\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceDataError(
            f"{name}, after line {number}: not a complete gzip file ({error})"
        ) from error
    except OSError as error:
        raise _not_readable(name, error) from error


def _too_large(path: Path, max_bytes: int) -> SourceDataError:
    return SourceDataError(
        f"{named(path)}: larger than the limit of {max_bytes / MIB:,.0f} MiB, or a gzip file that "
        f"unpacks to more than {MAX_UNPACKED} times its size; split it into several files or raise "
        "ROI_CSV_FILE_MIB"
    )


def _not_readable(name: str, error: OSError) -> SourceDataError | SourceUnavailableError:
    reason = error.strerror or type(error).__name__
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENAMETOOLONG}:
        return SourceDataError(f"{name}: not a file that can be read ({reason})")
    return SourceUnavailableError(f"{name}: cannot be read ({reason})")
