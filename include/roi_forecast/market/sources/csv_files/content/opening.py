"""Reading a file that somebody else may have written: confined, regular and of bounded size.

The file must be a regular file within the allowed folder after following links. The checks apply to
the opened file itself, so swapping it in between gains nothing.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.files.verified import KINDS_OF_FILE
from roi_forecast.market.sources.price_path import no_such_path
from roi_forecast.quoting import named

MIB = 2**20

_KERNEL_FOLDERS = (Path("/dev"), Path("/proc"), Path("/sys"))


@contextmanager
def opened(path: Path, allowed: Path, max_bytes: int) -> Iterator[io.BufferedReader]:
    """Open a file.

    Args:
        path: The file, or a link to it.
        allowed: Folder that must contain the file after following links.
        max_bytes: Maximum size of the file.

    Yields:
        Its bytes, as they are.

    Raises:
        SourceUnavailableError: The file does not exist or cannot be read now.
        SourceDataError: The file may not be read or is too large.
    """
    with _open_beneath(path, allowed) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise too_large(named(path), max_bytes)
        yield file


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
        raise SourceUnavailableError(no_such_path(path)) from error
    except OSError as error:
        raise not_readable(name, error) from error


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


def too_large(name: str, max_bytes: int) -> SourceDataError:
    """Return the error for a file above the limit."""
    return SourceDataError(
        f"{name}: larger than the limit of {max_bytes / MIB:,.0f} MiB; split it into several files "
        "or raise ROI_CSV_FILE_MIB"
    )


def not_readable(name: str, error: OSError) -> SourceDataError | SourceUnavailableError:
    """Return the error for a file that the system does not let be read."""
    reason = error.strerror or type(error).__name__
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENAMETOOLONG}:
        return SourceDataError(f"{name}: not a file that can be read ({reason})")
    return SourceUnavailableError(f"{name}: cannot be read ({reason})")
