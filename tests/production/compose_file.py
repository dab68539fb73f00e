"""docker-compose.yaml as Compose reads it: merged, with the variables of a .env filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from roi_local.environment import REPOSITORY

COMPOSE_FILE = REPOSITORY / "docker-compose.yaml"
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?:(:?[-?])([^}]*))?\})")


def read_compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the file's content, every ${VARIABLE} replaced as Compose does it."""
    return _filled(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8")), variables)


def read_variables() -> dict[str, bool]:
    """Return the variables that the file uses, and whether each has to be set."""
    found = _VARIABLE.findall(COMPOSE_FILE.read_text(encoding="utf-8"))
    return {name: operator.endswith("?") for name, operator, _ in found if name}


def read_environment_file(path: Path) -> dict[str, str]:
    """Return the variables of a .env file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def words(command: str | list[str]) -> list[str]:
    """Return a command as a list of words."""
    return shlex.split(command) if isinstance(command, str) else list(command)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variables) for each in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if name is None:
            return "$"
        given = variables.get(name)
        if operator == ":?" and not given:
            raise KeyError(f"{name}: {default}")
        return given or (default if operator == ":-" else "")

    return _VARIABLE.sub(fill, value)
