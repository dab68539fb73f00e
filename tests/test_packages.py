"""Every imported package is declared, and every declared one is pinned with its hashes."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements_file import read_pins
from roi_local.commands.audit import REQUIREMENTS as AUDITED
from roi_local.environment import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
FILES = {
    "run": "requirements.txt",
    "production": "requirements-production.txt",
    "gpu": "requirements-gpu.txt",
    "dev": "requirements-dev.txt",
}
FOLDERS = {
    "run": ("include", "dags", "plugins"),
    "production": ("include/roi_production",),
    "dev": ("tests", "benchmarks"),
}
# The distribution `apache-airflow` holds no module: it pins these two, and is what is installed.
PARTS_OF_AIRFLOW = {"apache-airflow-core", "apache-airflow-task-sdk"}
# benchmarks/speed.py installs it into an environment of its own.
NOT_INSTALLED = {"torch"}

DISTRIBUTIONS = packages_distributions()


def declared(group: str) -> set[str]:
    """Return the names that a group declares, those of the groups it includes among them."""
    names = {
        canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]
    }
    for entry in PROJECT["dependency-groups"].get(group, ()):
        if isinstance(entry, dict):
            names |= declared(entry["include-group"])
        else:
            names.add(canonicalize_name(Requirement(entry).name))
    return names


def sources(group: str) -> list[Path]:
    paths = {path for folder in FOLDERS[group] for path in (REPOSITORY / folder).rglob("*.py")}
    if group == "run":
        paths -= set(sources("production"))
    return sorted(paths)


def own_modules() -> set[str]:
    roots = ["include", "dags", "plugins", "tests", "benchmarks"]
    return {path.stem for root in roots for path in (REPOSITORY / root).iterdir()}


def imported_modules(source: str) -> Iterator[str]:
    """Yield the dotted name of every module, or of what may be one, that a file imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def files_of(name: str) -> frozenset[str]:
    return frozenset(str(path) for path in distribution(name).files or ())


@cache
def provider(module: str) -> str:
    """Return the distribution that a module comes from; several share the folder `airflow`."""
    candidates = set(DISTRIBUTIONS.get(module.split(".")[0], ()))
    if len(candidates) == 1:
        return canonicalize_name(candidates.pop())
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        for name in sorted(candidates):
            if {f"{path}.py", f"{path}/__init__.py"} & files_of(name):
                return canonicalize_name(name)
    raise AssertionError(f"no installed distribution holds {module}")


def undeclared(group: str, paths: list[Path]) -> dict[str, set[str]]:
    known = declared(group)
    if "apache-airflow" in known:
        known |= PARTS_OF_AIRFLOW
    found: dict[str, set[str]] = {}
    skipped = own_modules() | set(sys.stdlib_module_names) | NOT_INSTALLED
    for path in paths:
        for module in imported_modules(path.read_text(encoding="utf-8")):
            if module.split(".")[0] not in skipped and (name := provider(module)) not in known:
                found.setdefault(name, set()).add(path.name)
    return found


@pytest.mark.parametrize("group", FOLDERS)
def test_every_imported_package_is_declared_in_its_group(group: str) -> None:
    assert undeclared(group, sources(group)) == {}


def test_an_import_that_is_declared_nowhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "stage.py"
    path.write_text(
        "import numpy.linalg\nfrom airflow.sdk import dag\n"
        "def later():\n    from airflow.providers.fab.www import app\n    import pip._internal\n"
    )
    assert undeclared("run", [path]) == {
        "apache-airflow-providers-fab": {"stage.py"},
        "pip": {"stage.py"},
    }
    assert undeclared("production", [path]) == {"pip": {"stage.py"}}


@pytest.mark.parametrize("group", FILES)
def test_every_package_of_a_requirements_file_has_one_version_and_its_hashes(group: str) -> None:
    pins = read_pins(REPOSITORY / FILES[group])
    assert declared(group) <= {pin.name for pin in pins}
    for pin in pins:
        assert re.fullmatch(r"==[^*]+", str(pin.requirement.specifier)), pin.name
        assert pin.requirement.url is None, pin.name
        assert pin.hashes, pin.name
        for value in pin.hashes:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", value), pin.name


def test_the_files_agree_on_every_version() -> None:
    versions: dict[tuple[str, str], set[str]] = {}
    for file in FILES.values():
        for pin in read_pins(REPOSITORY / file):
            key = (pin.name, str(pin.requirement.marker))
            versions.setdefault(key, set()).add(str(pin.requirement.specifier))
    assert {key: found for key, found in versions.items() if len(found) > 1} == {}


def test_the_audit_asks_about_every_file() -> None:
    assert (
        set(AUDITED)
        == set(FILES.values())
        == {path.name for path in REPOSITORY.glob("requirements*.txt")}
    )
