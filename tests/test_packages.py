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
    "local": "requirements.txt",
    "services": "requirements-services.txt",
    "production": "requirements-production.txt",
    "gpu": "requirements-gpu.txt",
    "bill-of-materials": "requirements-bill-of-materials.txt",
    "dev": "requirements-dev.txt",
}
# The image's build installs it alone, next to the packages that it lists.
ALONE = {"bill-of-materials"}
FOLDERS = {
    "local": ("include", "dags", "plugins"),
    "services": ("include/roi_production",),
    "dev": ("tests", "benchmarks"),
}
# The distribution `apache-airflow` holds no module: it pins these two, and is what is installed.
PARTS_OF_AIRFLOW = {"apache-airflow-core", "apache-airflow-task-sdk"}
# benchmarks/speed.py installs it into an environment of its own.
NOT_INSTALLED = {"torch"}
IMPORTS = ast.Import | ast.ImportFrom

DISTRIBUTIONS = packages_distributions()


def declared(group: str) -> set[str]:
    """Return the names that a group declares, those of the groups it includes among them."""
    names = set()
    if group not in ALONE:
        dependencies = PROJECT["project"]["dependencies"]
        names = {canonicalize_name(Requirement(text).name) for text in dependencies}
    for entry in PROJECT["dependency-groups"].get(group, ()):
        if isinstance(entry, dict):
            names |= declared(entry["include-group"])
        else:
            names.add(canonicalize_name(Requirement(entry).name))
    return names


def sources(group: str) -> list[Path]:
    paths = {path for folder in FOLDERS[group] for path in (REPOSITORY / folder).rglob("*.py")}
    if group == "local":
        paths -= set(sources("services"))
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
    """Return the undeclared distributions that files import from, with the files' names."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for name in undeclared_in(group, [path.read_text(encoding="utf-8")]):
            found.setdefault(name, set()).add(path.name)
    return found


def undeclared_in(group: str, sources: list[str]) -> set[str]:
    """Return the distributions that sources import from and a group does not declare."""
    known = declared(group)
    if "apache-airflow" in known:
        known |= PARTS_OF_AIRFLOW
    skipped = own_modules() | set(sys.stdlib_module_names) | NOT_INSTALLED
    modules = {module for source in sources for module in imported_modules(source)}
    return {
        name
        for module in modules
        if module.split(".")[0] not in skipped and (name := provider(module)) not in known
    }


@pytest.mark.parametrize("group", FOLDERS)
def test_every_imported_package_is_declared_in_its_group(group: str) -> None:
    assert undeclared(group, sources(group)) == {}


def test_an_import_that_is_declared_nowhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "stage.py"
    path.write_text(
        "import numpy.linalg\nfrom airflow.sdk import dag\n"
        "def later():\n    from airflow.providers.fab.www import app\n    import pip._internal\n"
    )
    assert undeclared("local", [path]) == {
        "apache-airflow-providers-fab": {"stage.py"},
        "pip": {"stage.py"},
    }
    assert undeclared("services", [path]) == {"pip": {"stage.py"}}


# What Airflow's services execute of the project: a DAG file only as it is parsed, since workers
# execute its tasks; the others with all that their functions import.
SERVICES = (
    "plugins/*.py",
    "include/roi_web/**/*.py",
    "include/roi_airflow/deadline.py",
    "include/roi_airflow/notification.py",
    "include/roi_production/backup.py",
    "include/roi_production/health.py",
    "include/roi_production/initialise.py",
)


def own_file(module: str) -> Path | None:
    """Return the file of a module of the project, or of what holds a name of one."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = REPOSITORY / "include" / Path(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def sources_reached(paths: list[Path], *, by_calls: bool) -> dict[Path, str]:
    """Return the imports of files and of all files that they lead to, as source.

    Args:
        paths: Where to begin.
        by_calls: Whether imports inside functions count; else those that loading carries out.
    """
    found: dict[Path, str] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path not in found:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            nodes = ast.walk(tree) if by_calls else tree.body
            lines = [ast.unparse(each) for each in nodes if isinstance(each, IMPORTS)]
            found[path] = "\n".join(lines)
            waiting += filter(None, map(own_file, imported_modules(found[path])))
    return found


def test_services_execute_only_what_their_image_has(tmp_path: Path) -> None:
    called = [path for pattern in SERVICES for path in REPOSITORY.glob(pattern)]
    loaded = sources_reached(sorted(REPOSITORY.glob("dags/*.py")), by_calls=False)
    assert len(loaded) > 50
    sources = [*sources_reached(called, by_calls=True).values(), *loaded.values()]
    assert undeclared_in("services", sources) == set()

    page = tmp_path / "page.py"
    page.write_text("def page():\n    import roi_forecast.network.training.train\n")
    reached = sources_reached([page], by_calls=True)
    assert "tensorflow" in undeclared_in("services", list(reached.values()))


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
