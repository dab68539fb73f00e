"""Where datasets and models lie: a folder, also of a network file system, or an object store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from roi_forecast.errors import PreflightError
from roi_forecast.quoting import quoted

if TYPE_CHECKING:
    from upath import UPath

# Quoted, since few installations have an object store, and importing its packages takes time.
DataPath: TypeAlias = "Path | UPath"
"""A path in the data folder: a `Path`, or the `UPath` of fsspec where that is an object store."""

PathOrUrl = TypeVar("PathOrUrl", bound=DataPath)

OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "oci", "oss", "tos")
"""Protocols of fsspec where an object appears whole and a reader sees the newest one at once."""

_EXPECTED = "expected an absolute path, or the URL of an object store such as s3://bucket/folder"


def parse_data_path(text: str) -> DataPath:
    """Return the path that a text names, without looking whether it exists.

    Args:
        text: An absolute path, or a URL of one of OBJECT_STORES.

    Raises:
        ValueError: It is neither, or the package for its protocol is not installed.
    """
    protocol, separator, place = text.partition("://")
    if not separator:
        if not Path(text).is_absolute():
            raise ValueError(_EXPECTED)
        return Path(text).resolve()
    if protocol not in OBJECT_STORES:
        raise ValueError(f"{_EXPECTED}; known are {', '.join(OBJECT_STORES)}")
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        raise ValueError(f"a package is missing for it: {error}") from error
    bucket, *folders = place.rstrip("/").split("/")
    if not bucket or {"", ".", ".."} & {*folders} or set("?#@") & set(place):
        raise ValueError(
            f"expected {protocol}://, a bucket and mostly a folder, without credentials or options"
        )
    from upath import UPath

    # What another host wrote a moment ago has to be seen.
    return UPath(text.rstrip("/"), use_listings_cache=False)


def data_directory_of(variable: str, value: str) -> DataPath:
    """Return the data folder that an environment variable names.

    Raises:
        PreflightError: See `parse_data_path`; names the variable and its value.
    """
    try:
        return parse_data_path(value)
    except ValueError as error:
        # What a person took for the place of a password must not be logged.
        shown = re.sub("://.*@", "://…@", value)
        raise PreflightError(
            f"the environment variable {variable} is {quoted(shown)}; {error}"
        ) from error
