from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from object_store import ObjectStore, answering, slowly, use_host
from roi_forecast.errors import RegistryError
from roi_forecast.files import leftovers, object_cache
from roi_forecast.files.artifacts import (
    confined,
    delete_folder,
    files_below,
    is_published,
    published_directory,
    whole_folders,
    write_file,
    write_manifest,
)
from roi_forecast.files.leftovers import OLD, OLD_ELSEWHERE, Swept, server_time, sweep_leftovers
from roi_forecast.files.verified import open_verified
from roi_forecast.local_cache import cache_directory


@pytest.fixture
def folder(stored_folder: UPath) -> UPath:
    """A folder of the test's own in the object store."""
    return stored_folder


def publish(destination: UPath, content: bytes = b"1234") -> None:
    with published_directory(destination) as working:
        (working / "part").mkdir()
        (working / "part" / "file").write_bytes(content)
        (working / "other").write_bytes(content)
        write_manifest(working, {"kind": "test"})


def read(folder: UPath) -> bytes:
    return open_verified(folder, RegistryError).read("part/file")


def shift_clock(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    """Let the server's clock be later, for what was written until now to be old."""
    moment = server_time
    monkeypatch.setattr(
        leftovers, "server_time", lambda place: moment(place) + later.total_seconds()
    )


def test_a_folder_appears_whole_with_its_manifest_and_nothing_else(folder: UPath) -> None:
    with published_directory(folder / "one") as working:
        (working / "file").write_bytes(b"1")
        write_manifest(working, {})
        assert files_below(folder) == []
    assert files_below(folder) == ["one/file", "one/manifest.json"]
    assert open_verified(folder / "one", RegistryError).read("file") == b"1"
    assert whole_folders(folder) == [folder / "one"]


def test_an_error_leaves_nothing(folder: UPath) -> None:
    with pytest.raises(ValueError, match="no"), published_directory(folder / "one") as working:
        (working / "file").write_bytes(b"1")
        raise ValueError("no")
    assert folder.fs.find(folder.path) == []


@pytest.mark.parametrize("damage", ["changed", "cut short", "deleted"])
def test_a_damaged_object_is_refused_by_name_even_if_this_host_has_read_it(
    folder: UPath, damage: str
) -> None:
    publish(folder / "one")
    assert read(folder / "one") == b"1234"
    path = folder / "one" / "part" / "file"
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"4321" if damage == "changed" else b"123")
    with pytest.raises(RegistryError, match=r"part/file is (damaged: its SHA-256|missing)"):
        read(folder / "one")


def test_an_unlisted_object_is_refused_by_name(folder: UPath) -> None:
    publish(folder / "one")
    write_file(folder / "one" / "more", b"")
    with pytest.raises(RegistryError, match="holds 'more', which its manifest"):
        read(folder / "one")


def test_a_damaged_copy_on_this_host_is_downloaded_again(folder: UPath) -> None:
    publish(folder / "one")
    read(folder / "one")
    copies = list((cache_directory() / "objects").iterdir())
    assert len(copies) == 2
    for copy in copies:
        copy.write_bytes(b"damaged")
    assert read(folder / "one") == b"1234"


def test_a_host_downloads_an_object_once_and_keeps_what_it_reads_within_bounds(
    folder: UPath,
    object_store: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(folder / "one", b"1" * 1000)

    def downloads() -> int:
        object_store.requests.clear()
        read(folder / "one")
        return sum(
            method == "GET" and path.endswith(("file", "other"))
            for method, path in object_store.requests
        )

    assert downloads() == 2
    assert downloads() == 0
    use_host(tmp_path / "another host", monkeypatch)
    monkeypatch.setattr(object_cache, "MAX_BYTES", 1500)
    assert downloads() == 2
    # There is room for one only.
    assert downloads() == 2
    sizes = [path.stat().st_size for path in (cache_directory() / "objects").iterdir()]
    assert sizes == [1000]


def test_two_hosts_that_publish_one_id_leave_one_whole_folder(folder: UPath) -> None:
    with published_directory(folder / "one") as working:
        (working / "file").write_bytes(b"second")
        write_manifest(working, {})
        publish(folder / "one", b"first")
    assert read(folder / "one") == b"first"

    both = threading.Barrier(2)
    errors: list[BaseException] = []

    def host() -> None:
        try:
            with published_directory(folder / "two") as working:
                (working / "part").mkdir()
                (working / "part" / "file").write_bytes(b"same")
                write_manifest(working, {})
                both.wait()
        except BaseException as error:
            errors.append(error)

    hosts = [threading.Thread(target=host) for _ in range(2)]
    for each in hosts:
        each.start()
    for each in hosts:
        each.join()
    assert errors == []
    assert read(folder / "two") == b"same"
    assert [name for name in folder.fs.find(folder.path) if name.endswith(".partial")] == []


KILLED = """
import os, sys
from unittest.mock import patch
from roi_forecast.data_path import parse_data_path
from roi_forecast.files import objects
from roi_forecast.files.artifacts import delete_folder, published_directory, write_manifest
folder, kind, number = parse_data_path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
name = {"publishes": "upload", "deletes": "delete_object"}[kind]
whole, calls = getattr(objects, name), []
def until_killed(*arguments):
    calls.append(arguments)
    if len(calls) > number:
        os.kill(os.getpid(), 9)
    whole(*arguments)
setattr(objects, name, until_killed)
if kind == "deletes":
    delete_folder(folder)
with published_directory(folder) as working:
    for name in "abc":
        (working / name).write_bytes(b"1234")
    write_manifest(working, {})
"""


@pytest.mark.parametrize("kind", ["publishes", "deletes"])
def test_what_a_killed_process_left_does_not_count_and_goes_once_it_is_old(
    folder: UPath, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder / "two")
    if kind == "deletes":
        publish(folder / "one")
    command = [sys.executable, "-c", KILLED, str(folder / "one"), kind, "1"]
    assert subprocess.run(command, check=False, timeout=300).returncode == -9
    assert not is_published(folder / "one")
    left = [name for name in folder.fs.find(folder.path) if "one" in name]
    assert any(name.endswith(".partial") for name in left)
    assert len(left) >= 2

    assert sweep_leftovers([folder]) == Swept(0, 0)
    shift_clock(monkeypatch, OLD + timedelta(minutes=1))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("socket.gethostname", lambda: "another-host")
        assert sweep_leftovers([folder]).count == 0
    assert sweep_leftovers([folder]).count == 1
    assert files_below(folder) == ["two/manifest.json", "two/other", "two/part/file"]
    assert sweep_leftovers([folder]) == Swept(0, 0)
    publish(folder / "one", b"new")
    assert read(folder / "one") == b"new"


def test_another_hosts_leftovers_go_after_a_week(
    folder: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(leftovers.partial_path(folder / "one"), b"")
    monkeypatch.setattr("socket.gethostname", lambda: "another-host")
    shift_clock(monkeypatch, OLD_ELSEWHERE - timedelta(minutes=1))
    assert sweep_leftovers([folder]).count == 0
    shift_clock(monkeypatch, OLD_ELSEWHERE + timedelta(minutes=1))
    assert sweep_leftovers([folder]).count == 1


def test_a_mark_goes_and_the_folder_stays_where_the_kill_came_after_the_manifest(
    folder: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder / "one")
    write_file(leftovers.partial_path(folder / "one"), b"")
    shift_clock(monkeypatch, OLD + timedelta(minutes=1))
    assert sweep_leftovers([folder]).count == 1
    assert read(folder / "one") == b"1234"


def test_deleting_a_folder_tells_its_size_and_is_no_error_twice(folder: UPath) -> None:
    publish(folder / "one", b"1" * 5000)
    assert delete_folder(folder / "one") > 10000
    assert folder.fs.find(folder.path) == []
    assert delete_folder(folder / "one") == 0


def test_a_server_that_throttles_or_is_slow_is_asked_again(
    folder: UPath, object_store: ObjectStore
) -> None:
    with object_store.failing(answering("503 SlowDown", "PUT", times=2)):
        publish(folder / "one")
    with object_store.failing(slowly(0.05)):
        assert read(folder / "one") == b"1234"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("500 InternalError", "InternalError by the test"),
        ("403 AccessDenied", "AccessDenied by the test"),
    ],
)
def test_a_server_that_fails_mid_upload_is_named_and_what_it_took_does_not_count(
    folder: UPath, object_store: ObjectStore, status: str, message: str
) -> None:
    with (
        object_store.failing(answering(status, "PUT", "one/part/file")),
        pytest.raises(OSError, match=message) as raised,
    ):
        publish(folder / "one")
    assert raised.value.filename == str(folder / "one" / "part" / "file")
    assert not is_published(folder / "one")
    publish(folder / "one")
    assert read(folder / "one") == b"1234"


def test_a_server_that_is_away_is_no_damage(folder: UPath, object_store: ObjectStore) -> None:
    publish(folder / "one")
    with object_store.away(), pytest.raises(OSError, match="does not answer") as raised:
        read(folder / "one")
    assert not isinstance(raised.value, FileNotFoundError)
    assert read(folder / "one") == b"1234"


@pytest.mark.parametrize("name", ["../two", "/etc", "one/../../two", ".", ""])
def test_a_name_that_leads_out_of_a_folder_is_refused(folder: UPath, name: str) -> None:
    with pytest.raises(RegistryError, match="expected a path within s3://"):
        confined(folder, name, RegistryError)
