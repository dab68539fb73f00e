"""Reads requirements files as pip does: packages, markers, hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Pin:
    """One entry of a requirements file."""

    name: str
    requirement: Requirement
    hashes: tuple[str, ...]


def read_pins(path: Path) -> list[Pin]:
    """Return every entry; a line that is neither one nor a comment is an error."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [
        line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    pins = []
    for line in lines:
        written, *options = re.split(r"\s--", line)
        requirement = Requirement(written)
        hashes = tuple(option.strip().removeprefix("hash=") for option in options)
        pins.append(Pin(canonicalize_name(requirement.name), requirement, hashes))
    return pins
