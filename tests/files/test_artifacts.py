from __future__ import annotations

from pathlib import Path

import pytest

from manifests import read_manifest
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import (
    published_directory,
    write_file,
    write_manifest,
)
from special_files import SPECIAL_FILES


def _publish(destination: Path, content: str) -> None:
    with published_directory(destination) as directory:
        (directory / "part").mkdir()
        (directory / "part" / "file.txt").write_text(content)
        write_manifest(directory, {"kind": "test"})


def test_published_directory_appears_whole(tmp_path: Path) -> None:
    _publish(tmp_path / "one", "text")
    assert read_manifest(tmp_path / "one", RegistryError)["kind"] == "test"
    assert list(tmp_path.iterdir()) == [tmp_path / "one"]


def test_published_directory_leaves_nothing_behind_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), published_directory(tmp_path / "one") as part:
        (part / "file.txt").write_text("half")
        raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []


def test_published_directory_keeps_what_another_process_published_first(tmp_path: Path) -> None:
    with published_directory(tmp_path / "one") as part:
        (part / "file.txt").write_text("second")
        _publish(tmp_path / "one", "first")
    assert (tmp_path / "one" / "part" / "file.txt").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "one"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "part/file.txt is missing"),
        (lambda path: path.write_text("other"), "is damaged"),
        (lambda path: path.write_text(""), "is damaged"),
    ],
)
def test_read_manifest_refuses_a_changed_file(tmp_path: Path, damage: object, message: str) -> None:
    _publish(tmp_path / "one", "text")
    damage(tmp_path / "one" / "part" / "file.txt")  # type: ignore[operator]
    with pytest.raises(RegistryError, match=message):
        read_manifest(tmp_path / "one", RegistryError)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_read_manifest_refuses_an_unreadable_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(RegistryError, match=r"no readable manifest\.json"):
        read_manifest(tmp_path, RegistryError)


def test_write_file_keeps_the_old_content_after_an_error(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"old")
    with pytest.raises(TypeError):
        write_file(tmp_path / "file", "not bytes")  # type: ignore[arg-type]
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_write_file_replaces_nothing_but_a_regular_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    SPECIAL_FILES[kind](path)
    before = {entry: entry.lstat() for entry in tmp_path.iterdir()}

    with pytest.raises(OSError, match="; name a regular file"):
        write_file(path, b"new")

    assert {entry: entry.lstat() for entry in tmp_path.iterdir()} == before
