"""Reading the files of a folder that its manifest lists, after checking their SHA-256.

A file may change between a check of its path and a later read. So `VerifiedDirectory.read` returns
the very bytes that it has checked, and nothing else opens a version's files.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from roi_forecast.data_path import DataPath
from roi_forecast.errors import RoiForecastError
from roi_forecast.files import objects
from roi_forecast.files.leftovers import local_folder
from roi_forecast.files.manifest import MANIFEST, parse_manifest, shown
from roi_forecast.files.object_cache import open_copy

KINDS_OF_FILE = {
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""Names of the kinds of file for errors."""

_MAX_READ_BYTES = 2**30
_MAX_MANIFEST_BYTES = 2**26
_BLOCK_BYTES = 2**20
_MAX_NAMED = 3

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class VerifiedDirectory:
    """A directory opened by its manifest.

    Attributes:
        directory: Its path.
        manifest: The parsed manifest; `files` maps the name of each file to its SHA-256.
        manifest_bytes: The content of the manifest file.
        error: The class of the errors that reading raises.
    """

    directory: DataPath
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
        """Return the bytes of a listed file after checking their SHA-256.

        Raises:
            RoiForecastError: Of class `error`; the file is not listed, missing, not a regular file,
                far too large, or its SHA-256 differs.
            OSError: It exists but cannot be read.
        """

        def read(file: IO[bytes]) -> tuple[bytes, str]:
            content = _read_at_most(file, _MAX_READ_BYTES, self.error)
            return content, hashlib.sha256(content).hexdigest()

        return self._checked(name, read)

    def copy(self, name: str, destination: DataPath) -> None:
        """Copy a listed file of any size, checking the SHA-256 of the copied bytes.

        Args:
            name: The file.
            destination: A new file, which may be incomplete after an error, or an object.

        Raises:
            RoiForecastError: See `read`.
            OSError: A file cannot be read or written.
        """
        if not isinstance(destination, Path):
            with local_folder() as folder:
                self.copy(name, folder / "copy")
                objects.upload(folder / "copy", destination)
            return
        with destination.open("xb") as copy:

            def read(file: IO[bytes]) -> tuple[None, str]:
                copy.seek(0)
                copy.truncate()
                return None, _digest(file, copy)

            self._checked(name, read)

    def check(self) -> None:
        """Check every listed file; raises like `read`."""
        for name in self.files:
            self._checked(name, lambda file: (None, _digest(file)))

    def _checked(self, name: str, read: Callable[[IO[bytes]], tuple[_Read, str]]) -> _Read:
        """Return what a function reads of a file, if the SHA-256 it found is the listed one."""
        with self._opened(name) as file:
            result, found = read(file)
        path = self.directory / name
        if found != self.files[name] and not isinstance(path, Path):
            # This host's copy of the object may be damaged, rather than the object.
            with open_copy(path, again=True) as file:
                result, found = read(file)
        if found != self.files[name]:
            raise self.error(
                f"{path} is damaged: its SHA-256 is {found}, the manifest says {self.files[name]}"
            )
        return result

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self.files:
            raise self.error(f"{self.directory} has no {name!r} in its {MANIFEST}")
        directory = self.directory
        path = directory / name
        # No folder in the name may be a link to elsewhere.
        if isinstance(directory, Path) and (directory / name).parent.resolve() != (
            directory.resolve() / PurePosixPath(name).parent
        ):
            raise self.error(f"{path} is damaged: its folder is a link, expected a folder")
        try:
            file = open_regular(path, self.error) if isinstance(path, Path) else open_copy(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self.error(f"{self.directory} is incomplete: {name} is missing") from error
        with file:
            yield file


def open_verified(
    directory: DataPath,
    error: type[RoiForecastError],
    *,
    checksum: str | None = None,
    damage: type[RoiForecastError] | None = None,
    sealed: bool = True,
) -> VerifiedDirectory:
    """Open a directory by its manifest and check every listed file.

    Args:
        directory: The directory.
        error: The class of the error to raise.
        checksum: The SHA-256 that the manifest was registered with, if known.
        damage: The class of the error for missing or changed files; None: `error`.
        sealed: Whether unlisted files are an error. A candidate may have some: logs of its
            training, and files that a later stage is about to list.

    Raises:
        RoiForecastError: Of the given classes; the manifest is missing or invalid, a file is
            missing, changed, not regular or outside, or there are unlisted files.
        OSError: A file exists but cannot be read.
    """
    opened = open_listing(directory, error, checksum=checksum, damage=damage)
    if sealed:
        _require_nothing_unlisted(opened, error)
    opened.check()
    return opened


def open_listing(
    directory: DataPath,
    error: type[RoiForecastError],
    *,
    checksum: str | None = None,
    damage: type[RoiForecastError] | None = None,
) -> VerifiedDirectory:
    """Open a directory by its manifest alone; each file is checked when it is read.

    See `open_verified` for the arguments.

    Raises:
        RoiForecastError: Of the given classes; the manifest is missing or invalid.
        OSError: The manifest exists but cannot be read.
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


def read_regular(path: DataPath, error: type[RoiForecastError]) -> bytes:
    """Return the bytes of a regular file or of an object, whatever they are.

    Raises:
        RoiForecastError: See `open_regular`.
        OSError: It is missing or cannot be read.
    """
    if not isinstance(path, Path):
        return objects.read_object(path)
    with open_regular(path, error) as file:
        return file.read()


def open_regular(path: Path, error: type[RoiForecastError]) -> IO[bytes]:
    """Open a regular file for reading, and nothing else.

    Raises:
        RoiForecastError: Of class `error`; it is a link, a pipe, a device or the like.
        OSError: It is missing or cannot be read.
    """
    # Checked before opening, since opening some devices has effects, and again afterwards, since
    # the file may have been replaced. Without O_NONBLOCK, opening a pipe waits for its other end.
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


def _read_manifest(directory: DataPath, error: type[RoiForecastError]) -> bytes:
    path = directory / MANIFEST
    try:
        if not isinstance(path, Path):
            return objects.read_object(path)
        with open_regular(path, error) as file:
            return _read_at_most(file, _MAX_MANIFEST_BYTES, error)
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(f"{path} is missing: no readable {MANIFEST}") from cause


def _read_at_most(file: IO[bytes], largest: int, error: type[RoiForecastError]) -> bytes:
    content = file.read(largest + 1)
    if len(content) > largest:
        raise error(f"{file.name} has more than the allowed {largest} bytes")
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
    if not isinstance(opened.directory, Path):
        for item in objects.list_objects(opened.directory):
            name = item.path.relative_to(opened.directory).as_posix()
            if name not in opened.files and name != MANIFEST:
                yield name
        return
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
