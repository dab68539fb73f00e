"""A directory with a manifest is read by it: nothing unlisted, exchanged or special."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roi_forecast.errors import DamagedVersionError, RegistryError
from roi_forecast.files.artifacts import write_manifest
from roi_forecast.files.verified import VerifiedDirectory, open_listing, open_verified
from special_files import SPECIAL_FILES

DIGEST = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = tmp_path / "version"
    (directory / "part").mkdir(parents=True)
    (directory / "model").write_bytes(b"content")
    (directory / "part" / "model").write_bytes(b"other")
    write_manifest(directory, {"kind": "test"})
    return directory


def opened(folder: Path) -> VerifiedDirectory:
    return open_verified(folder, RegistryError, damage=DamagedVersionError)


def test_listed_files_are_read_and_copied(folder: Path, tmp_path: Path) -> None:
    version = opened(folder)
    assert version.manifest["kind"] == "test"
    assert (version.read("model"), version.read("part/model")) == (b"content", b"other")
    version.copy("part/model", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"other"


def write(path: Path) -> None:
    path.write_bytes(b"content")


@pytest.mark.parametrize("name", ["model.keras", ".hidden", "part/model.keras", "part/.x.partial"])
@pytest.mark.parametrize("kind", ["file", *SPECIAL_FILES])
def test_what_is_not_listed_is_an_error_that_names_it(folder: Path, name: str, kind: str) -> None:
    (SPECIAL_FILES | {"file": write})[kind](folder / name)

    with pytest.raises(RegistryError, match=rf"holds .*'{name}'.* does not list") as error:
        opened(folder)

    # Nothing that is listed is damaged: another version would not mend this.
    assert not isinstance(error.value, DamagedVersionError)


def test_what_is_below_an_unlisted_folder_is_named_by_the_folder_and_few_are_named(
    folder: Path,
) -> None:
    for number in range(5):
        (folder / f"extra_{number}").mkdir()
        (folder / f"extra_{number}" / "model").touch()
    with pytest.raises(RegistryError, match=r"holds 'extra_0', 'extra_1', 'extra_2' and 2 more, "):
        opened(folder)


def test_unlisted_files_of_a_candidate_are_neither_removed_nor_read(folder: Path) -> None:
    write(folder / "model.keras")
    candidate = open_verified(folder, RegistryError, sealed=False)
    with pytest.raises(RegistryError, match=r"has no 'model\.keras' in its manifest"):
        candidate.read("model.keras")


@pytest.mark.parametrize("kind", SPECIAL_FILES)
@pytest.mark.parametrize("name", ["model", "part/model", "part", "manifest.json"])
def test_something_else_in_place_of_a_listed_file_is_damage_and_is_not_waited_for(
    folder: Path, name: str, kind: str
) -> None:
    path = folder / name
    shutil.move(path, folder.parent / "moved")
    SPECIAL_FILES[kind](path)

    with pytest.raises(RegistryError):
        open_verified(folder, RegistryError, sealed=False)


@pytest.mark.parametrize("name", ["model", "part", "manifest.json"])
def test_a_link_to_the_very_same_content_is_refused(folder: Path, name: str) -> None:
    moved = folder.parent / "moved"
    shutil.move(folder / name, moved)
    (folder / name).symlink_to(moved)
    with pytest.raises(RegistryError, match="link"):
        open_verified(folder, RegistryError, sealed=False)


def test_a_hard_link_is_a_regular_file(folder: Path) -> None:
    os.link(folder / "model", folder.parent / "second name")
    assert opened(folder).read("model") == b"content"


@pytest.mark.parametrize(
    "exchange",
    [
        lambda path: path.write_bytes(b"CONTENT"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
    ],
)
def test_a_file_that_is_exchanged_after_the_check_is_not_given(
    folder: Path, tmp_path: Path, exchange: Callable[[Path], object]
) -> None:
    version = opened(folder)
    exchange(folder / "model")
    with pytest.raises(DamagedVersionError):
        version.read("model")
    with pytest.raises(DamagedVersionError):
        version.copy("model", tmp_path / "copy")


def test_a_manifest_that_is_not_the_registered_one_is_damage_before_it_is_parsed(
    folder: Path,
) -> None:
    registered = opened(folder).checksum
    assert open_verified(folder, RegistryError, checksum=registered).checksum == registered
    (folder / "manifest.json").write_text("{")
    with pytest.raises(DamagedVersionError, match="is not the one that was registered"):
        open_listing(folder, RegistryError, checksum=registered, damage=DamagedVersionError)


@pytest.mark.parametrize(
    "names",
    [
        ["../secret"],
        ["/etc/passwd"],
        ["a/../../b"],
        ["a//b"],
        ["./a"],
        ["a/."],
        ["a/"],
        [""],
        [".."],
        ["a\\b"],
        ["a\0b"],
        ["a\nb"],
        ["manifest.json"],
        ["Manifest.JSON"],
        ["model", "MODEL"],
        ["part", "part/model"],
        ["PART", "part/model"],
    ],
    ids=repr,
)
def test_a_manifest_with_names_that_lead_elsewhere_or_stand_for_two_is_none(
    tmp_path: Path, names: list[str]
) -> None:
    content = {"files": dict.fromkeys(names, DIGEST)}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(RegistryError, match=r"has no readable manifest\.json: it lists "):
        open_verified(tmp_path, RegistryError)


@pytest.mark.parametrize(
    "content",
    [
        f'{{"files": {{"model": "{DIGEST}", "model": "{DIGEST}"}}}}',
        '{"files": {}, "files": {}}',
        '{"files": {"model": "0"}}',
        '{"files": {"model": null}}',
        '{"files": {"model": 7}}',
        '{"files": ["model"]}',
        '{"files": null}',
        '{"files": ' + "[" * 100_000,
        "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
    ],
    ids=lambda content: content[:40],
)
def test_a_file_that_is_no_manifest_gives_one_short_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    with pytest.raises(RegistryError, match=r"has no readable manifest\.json: ") as error:
        open_verified(tmp_path, RegistryError)
    assert len(str(error.value)) < 400
