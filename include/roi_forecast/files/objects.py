"""Files and folders of an object store, by fsspec.

An object appears whole or not at all, but a folder does not. So its manifest is written last and
deleted first: a folder without its manifest does not exist. While it is written or deleted, a mark
lies next to it, by which a later process finds what a killed one left.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roi_forecast.files.manifest import MANIFEST

if TYPE_CHECKING:
    from upath import UPath


@dataclass(frozen=True)
class StoredObject:
    """An object as the store lists it.

    Attributes:
        path: Its path.
        size: In bytes.
        changed_at: Time stamp of its last change, by the store's clock.
    """

    path: UPath
    size: int
    changed_at: float


def read_object(path: UPath) -> bytes:
    """Return an object's bytes.

    Raises:
        OSError: It is missing, or the store does not answer or refuses.
    """
    with _named_errors(path):
        content: bytes = path.fs.cat_file(path.path)
        return content


def write_object(path: UPath, content: bytes) -> None:
    """Write or replace an object; raises OSError like `read_object`."""
    with _named_errors(path):
        path.fs.pipe_file(path.path, content)


def delete_object(path: UPath) -> None:
    """Delete an object if it is there; raises OSError like `read_object`."""
    with _named_errors(path), suppress(FileNotFoundError):
        path.fs.rm_file(path.path)


def download(path: UPath, destination: Path) -> None:
    """Copy an object of any size into a new file; raises OSError like `read_object`."""
    with _named_errors(path):
        path.fs.get_file(path.path, str(destination))


def upload(source: Path, path: UPath) -> None:
    """Write or replace an object by a file of any size; raises OSError like `read_object`."""
    with _named_errors(path):
        path.fs.put_file(str(source), path.path)


def revision(path: UPath) -> str:
    """Return a text that changes with the object's content; raises OSError like `read_object`."""
    with _named_errors(path):
        path.fs.invalidate_cache(path.path)
        found: str = path.fs.ukey(path.path)
        return found


def exists(path: UPath) -> bool:
    """Tell whether there is such an object; raises OSError where the store does not say."""
    try:
        revision(path)
    except FileNotFoundError:
        return False
    return True


def upload_folder(working: Path, destination: UPath, mark: UPath) -> None:
    """Publish a folder of files with their manifest, unless another process did.

    Args:
        working: The local folder.
        destination: Where it becomes visible by its manifest, in one step.
        mark: Tells from its name, until the end, that the folder is being written.

    Raises:
        OSError: See `read_object`. What was written then does not count, and the mark stays.
    """
    manifest = destination / MANIFEST
    if exists(manifest):
        return
    write_object(mark, b"")
    for file in sorted(path for path in working.rglob("*") if path.is_file()):
        name = file.relative_to(working).as_posix()
        if name != MANIFEST:
            upload(file, destination / name)
    with _named_errors(manifest), suppress(FileExistsError):
        manifest.fs.pipe_file(manifest.path, (working / MANIFEST).read_bytes(), mode="create")
    delete_object(mark)


def delete_objects(folder: UPath, mark: UPath) -> int:
    """Delete a folder; return the bytes that it took.

    Args:
        folder: The folder, whole or not.
        mark: Tells from its name, until the end, that the folder is being deleted.

    Raises:
        OSError: See `read_object`. The mark then stays.
    """
    found = list_objects(folder)
    if not found:
        return 0
    write_object(mark, b"")
    # A reader that opens it from now on finds nothing, rather than a part.
    for item in sorted(found, key=lambda item: item.path.name != MANIFEST):
        delete_object(item.path)
    delete_object(mark)
    return sum(item.size for item in found)


def list_objects(folder: UPath) -> list[StoredObject]:
    """Return all objects below a folder, by name; raises OSError like `read_object`."""
    with _named_errors(folder), suppress(FileNotFoundError):
        folder.fs.invalidate_cache()
        prefix = folder.path.rstrip("/") + "/"
        found: dict[str, Any] = folder.fs.find(folder.path, detail=True)
        return [
            StoredObject(folder / name.removeprefix(prefix), int(info["size"]), _changed_at(info))
            for name, info in sorted(found.items())
            if name.startswith(prefix)
        ]
    return []


def newest_change(path: UPath) -> float:
    """Return the time stamp of the last change of an object, or of any object below a folder.

    Raises:
        FileNotFoundError: There is none.
        OSError: See `read_object`.
    """
    times = [item.changed_at for item in list_objects(path)]
    if not times:
        with _named_errors(path):
            path.fs.invalidate_cache()
            times = [_changed_at(path.fs.info(path.path))]
    return max(times)


def list_folders(folder: UPath) -> list[UPath]:
    """Return the folders in a folder, by name; raises OSError like `read_object`."""
    with _named_errors(folder), suppress(FileNotFoundError):
        folder.fs.invalidate_cache()
        entries = folder.fs.ls(folder.path, detail=True)
        names = [entry["name"] for entry in entries if entry["type"] == "directory"]
        return [folder / name.rstrip("/").rpartition("/")[2] for name in sorted(names)]
    return []


def _changed_at(info: dict[str, Any]) -> float:
    for name in ("LastModified", "mtime", "last_modified", "updated", "created"):
        if isinstance(value := info.get(name), datetime):
            return value.timestamp()
    raise OSError(errno.EOPNOTSUPP, "the object store gives no time of change", str(info["name"]))


@contextmanager
def _named_errors(path: UPath) -> Iterator[None]:
    """Turn what a store's client raises into an OSError that names the object."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        number = error.errno or errno.EIO
        if isinstance(error, PermissionError):
            number = errno.EACCES
        raise OSError(number, str(error.strerror or error), str(path)) from error
    # Each client has classes of its own, such as botocore's NoCredentialsError.
    except Exception as error:
        raise OSError(errno.EIO, f"the object store does not answer: {error}", str(path)) from error
