"""Parsing manifests, which list the files of a directory with their SHA-256."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

MANIFEST = "manifest.json"

_MAX_SHOWN = 60


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Parse a manifest; `files` maps the name of each file to its SHA-256.

    Raises:
        ValueError: It is invalid, or lists a name outside the directory or twice.
    """
    try:
        manifest = json.loads(content, object_pairs_hook=_once)
        files = dict(manifest["files"])
        _require_names(files)
    # RecursionError: deeply nested JSON.
    except (KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise ValueError(str(cause)) from cause
    return {**manifest, "files": files}


def shown(text: str) -> str:
    """Quote a name."""
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {shown(twice)} twice")
    return found


def _require_names(files: Mapping[str, str]) -> None:
    known: set[str] = set()
    for name, digest in files.items():
        parts = name.split("/")
        if set(parts) & {"", ".", ".."} or not name.isprintable() or "\\" in name:
            raise ValueError(f"it lists {shown(name)}; expected a path within the directory")
        # Names that differ only in case are the same file on some file systems.
        if name.casefold() in known or name.casefold() == MANIFEST:
            raise ValueError(f"it lists {shown(name)} under a name that is already used")
        known.add(name.casefold())
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"it lists {shown(name)} with {shown(digest)}, which is no SHA-256")
    for name in files:
        for folder in PurePosixPath(name).parents:
            if str(folder).casefold() in known:
                raise ValueError(f"it lists {shown(str(folder))} both as a file and as a folder")
