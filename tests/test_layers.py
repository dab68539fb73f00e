"""Data flow one way: no package imports one that comes after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from roi_local.environment import REPOSITORY

INCLUDE = REPOSITORY / "include"
# The universe and modules at the top of roi_forecast come before all of these.
LAYERS = (
    "files",
    "config",
    "database",
    "runs",
    "market",
    "features",
    "linear",
    "scale",
    "network",
    "forecaster",
    "registry",
    "evaluation",
    "backtest",
    "tuning",
    "gate",
    "serving",
    "monitoring",
    "planning",
    "reading",
    "exports",
)
# What people and Airflow use comes after what it shows.
PROGRAMS = ("roi_forecast", "roi_web", "roi_airflow", "roi_local", "roi_production")
MAX_MODULES = 15


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(INCLUDE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in INCLUDE.rglob("*.py")
    }


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def folder(module: str) -> str:
    is_package = MODULES[module].name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def layer(module: str) -> int:
    name = module.split(".")[1] if module.count(".") else ""
    return LAYERS.index(name) if name in LAYERS else -1


def test_every_package_of_the_library_has_its_place() -> None:
    folders = {path.parent.name for path in (INCLUDE / "roi_forecast").glob("*/__init__.py")}
    assert folders == {*LAYERS, "universe"}


def test_no_package_imports_one_that_comes_after_it() -> None:
    backwards = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        if module.startswith("roi_forecast")
        for imported in imports(path)
        if imported in MODULES
        and (not imported.startswith("roi_forecast") or layer(imported) > layer(module))
    ]
    assert backwards == []


def test_no_program_imports_one_that_comes_after_it() -> None:
    backwards = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        for imported in imports(path)
        if imported in MODULES
        and PROGRAMS.index(imported.split(".")[0]) > PROGRAMS.index(module.split(".")[0])
    ]
    assert backwards == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {imported for imported in imports(path) if imported in MODULES} - {module}
        for module, path in MODULES.items()
    }
    list(TopologicalSorter(graph).static_order())


def test_no_folders_next_to_each_other_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        for imported in imports(path):
            if imported in MODULES:
                own, other = folder(module), folder(imported)
                # A folder and those within it are one part of the house.
                if not f"{own}.".startswith(f"{other}.") and not f"{other}.".startswith(f"{own}."):
                    graph.setdefault(own, set()).add(other)
    list(TopologicalSorter(graph).static_order())


def test_no_folder_is_a_heap() -> None:
    counts = {
        str(folder.relative_to(INCLUDE)): len(list(folder.glob("*.py")))
        for folder in INCLUDE.rglob("*")
        if folder.is_dir()
    }
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}
