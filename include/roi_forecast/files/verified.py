"""Reading a directory by its manifest: listed files only, by the bytes whose SHA-256 was taken.

A checksum that is taken of a path says nothing of what a later reader of the path finds there. So
`VerifiedDirectory.read` gives bytes that it has checked itself, and nothing else opens a version's
files.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from roi_forecast.errors import RoiForecastError
from roi_forecast.files.manifest import MANIFEST, parse_manifest, shown

KINDS_OF_FILE = {
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What to call a file in an error, by the kind that its mode says."""

_MAX_READ_BYTES = 2**30
_MAX_MANIFEST_BYTES = 2**26
_BLOCK_BYTES = 2**20
_MAX_NAMED = 3


@dataclass(frozen=True)
class VerifiedDirectory:
    """A directory whose files were those of its manifest when it was opened.

    Attributes:
        directory: Where it lies.
        manifest: What the manifest says; `files` gives the SHA-256 of each file by its name.
        manifest_bytes: The manifest as it stands in the file.
        error: The class of the errors that reading raises.
    """

    directory: Path
    manifest: Mapping[str, Any]
    manifest_bytes: bytes
    error: type[RoiForecastError]

    @property
    def files(self) -> Mapping[str, str]:
        """The SHA-256 of each file, by its path relative to the directory."""
        found: Mapping[str, str] = self.manifest["files"]
        return found

    @property
    def checksum(self) -> str:
        """The manifest's own SHA-256."""
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    def read(self, name: str) -> bytes:
        """Return a listed file's bytes after taking their SHA-256.

        Raises:
            RoiForecastError: As the class given; the file is not listed, is missing, is no regular
                file, is far too large, or its bytes are others than were listed.
            OSError: It is there but cannot be read.
        """
        with self._opened(name) as file:
            content = _read_at_most(file, _MAX_READ_BYTES, self.error)
        self._require_listed(name, hashlib.sha256(content).hexdigest())
        return content

    def copy(self, name: str, destination: Path) -> None:
        """Copy a listed file, of any size, taking the SHA-256 of the bytes that are copied.

        Args:
            name: The file.
            destination: A new file; after an error it may hold a part.

        Raises:
            RoiForecastError: As for `read`.
            OSError: A file cannot be read or written.
        """
        with self._opened(name) as file, destination.open("xb") as copy:
            found = _digest(file, copy)
        self._require_listed(name, found)

    def check(self) -> None:
        """Check every listed file.

        Raises:
            RoiForecastError: As for `read`.
            OSError: Likewise.
        """
        for name in self.files:
            with self._opened(name) as file:
                found = _digest(file)
            self._require_listed(name, found)

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self.files:
            raise self.error(f"{self.directory} has no {name!r} in its {MANIFEST}")
        path = self.directory / name
        # A listed file lies in its own folder: no part of its name may be a link to elsewhere.
        if path.parent.resolve() != self.directory.resolve() / PurePosixPath(name).parent:
            raise self.error(f"{path} is damaged: its folder is a link, expected a folder")
        try:
            file = open_regular(path, self.error)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self.error(f"{self.directory} is incomplete: {name} is missing") from error
        with file:
            yield file

    def _require_listed(self, name: str, found: str) -> None:
        expected = self.files[name]
        if found != expected:
            raise self.error(
                f"{self.directory / name} is damaged: its SHA-256 is {found}, "
                f"the manifest says {expected}"
            )


def open_verified(
    directory: Path,
    error: type[RoiForecastError],
    *,
    checksum: str | None = None,
    damage: type[RoiForecastError] | None = None,
    sealed: bool = True,
) -> VerifiedDirectory:
    """Open a directory by its manifest and check every listed file.

    Args:
        directory: What `write_manifest` was given.
        error: The class of the error to raise.
        checksum: The SHA-256 that the manifest was registered with; None: it is not known.
        damage: The class of the error for files that are missing or changed; None: `error`.
        sealed: Whether files that the manifest does not list are an error. Not so for a candidate:
            its training's logs lie there, and what a later stage is about to list.

    Raises:
        RoiForecastError: As the classes given; there is no manifest or it is not one, a file is
            missing, changed, no regular file or elsewhere, or there are unlisted ones.
        OSError: A file is there but cannot be read.
    """
    opened = open_listing(directory, error, checksum=checksum, damage=damage)
    if sealed:
        _require_nothing_unlisted(opened, error)
    opened.check()
    return opened


def open_listing(
    directory: Path,
    error: type[RoiForecastError],
    *,
    checksum: str | None = None,
    damage: type[RoiForecastError] | None = None,
) -> VerifiedDirectory:
    """Open a directory by its manifest alone: each file is checked once it is read.

    Args:
        directory: As for `open_verified`, like all others.
        error: Likewise.
        checksum: Likewise.
        damage: Likewise.

    Raises:
        RoiForecastError: As the classes given; there is no manifest or it is not one.
        OSError: It is there but cannot be read.
    """
    damage = damage or error
    content = _read_manifest(directory, damage)
    found = hashlib.sha256(content).hexdigest()
    if checksum is not None and found != checksum:
        raise damage(
            f"{directory / MANIFEST} is not the one that was registered: its SHA-256 is {found}, "
            f"registered is {checksum}"
        )
    try:
        manifest = parse_manifest(content)
    except ValueError as cause:
        raise error(f"{directory} has no readable {MANIFEST}: {cause}") from cause
    return VerifiedDirectory(directory, manifest, content, damage)


def read_manifest(directory: Path, error: type[RoiForecastError]) -> dict[str, Any]:
    """Read the manifest and check every file that it lists.

    Args:
        directory: What `write_manifest` was given.
        error: The class of the error to raise.

    Raises:
        RoiForecastError: As `open_verified`; unlisted files are none of its business.
    """
    return dict(open_verified(directory, error, sealed=False).manifest)


def open_regular(path: Path, error: type[RoiForecastError]) -> IO[bytes]:
    """Open a regular file for reading; nothing else is waited for or read.

    Raises:
        RoiForecastError: As the class given; it is a link, a pipe, a device or the like.
        OSError: It is missing or cannot be read.
    """
    # The kind is looked at first, since opening some devices does something, and again once it is
    # open, since it may have been exchanged. Without O_NONBLOCK a pipe waits for its other end.
    _require_regular(path, path.lstat(), error)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb")
    try:
        _require_regular(path, os.fstat(descriptor), error)
    except BaseException:
        file.close()
        raise
    return file


def _require_regular(path: Path, status: os.stat_result, error: type[RoiForecastError]) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise error(f"{path} is {KINDS_OF_FILE[kind]}, expected a regular file")


def _read_manifest(directory: Path, error: type[RoiForecastError]) -> bytes:
    try:
        with open_regular(directory / MANIFEST, error) as file:
            return _read_at_most(file, _MAX_MANIFEST_BYTES, error)
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(f"{directory / MANIFEST} is missing: no readable {MANIFEST}") from cause


def _read_at_most(file: IO[bytes], largest: int, error: type[RoiForecastError]) -> bytes:
    content = file.read(largest + 1)
    if len(content) > largest:
        raise error(f"{file.name} has more than {largest} bytes, the most that is read")
    return content


def _digest(file: IO[bytes], copy: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()


def _require_nothing_unlisted(opened: VerifiedDirectory, error: type[RoiForecastError]) -> None:
    unlisted = sorted(_unlisted(opened))
    if unlisted:
        named = ", ".join(shown(name) for name in unlisted[:_MAX_NAMED])
        more = f" and {len(unlisted) - _MAX_NAMED} more" * (len(unlisted) > _MAX_NAMED)
        raise error(
            f"{opened.directory} holds {named}{more}, which its {MANIFEST} does not list; "
            "nothing of it was opened: find out who put it there and move it away"
        )


def _unlisted(opened: VerifiedDirectory) -> Iterator[str]:
    folders = {str(folder) for name in opened.files for folder in PurePosixPath(name).parents}
    for place, inner, names in os.walk(opened.directory):
        here = Path(place).relative_to(opened.directory)
        for name in names:
            path = (here / name).as_posix()
            if path not in opened.files and path != MANIFEST:
                yield path
        for name in list(inner):
            path = (here / name).as_posix()
            if path not in folders or Path(place, name).is_symlink():
                yield path
                inner.remove(name)
