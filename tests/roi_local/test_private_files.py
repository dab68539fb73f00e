"""Locks between processes."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from other_user import OTHER_USER, as_other_user, as_root, folder_for_all
from roi_local.errors import LocalError
from roi_local.private_files import hold_lock, is_locked

HOLDER = """
import pathlib, sys, time
from roi_local.private_files import hold_lock
with hold_lock(pathlib.Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_second_holder_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "run.lock"
    with (
        hold_lock(path, "first"),
        pytest.raises(LocalError, match=r"^another run is going$"),
        hold_lock(path, "another run is going"),
    ):
        pass

    assert not is_locked(path)
    with hold_lock(path, "free again"):
        assert is_locked(path)


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_locked(path)
        holder.send_signal(signal.SIGKILL)

    with hold_lock(path, "still held"):
        pass


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_no_other_user_can_hold_a_lock(mode: int) -> None:
    with folder_for_all() as public:
        path = public / "home" / "run.lock"
        with hold_lock(path, "held"):
            pass
        # Whoever gets into the folder, by a mistake of its owner, still does not get at the lock.
        path.parent.chmod(mode)
        attempt = f"fcntl.flock(os.open({str(path)!r}, os.O_RDONLY), fcntl.LOCK_EX)"

        assert "PermissionError" in as_other_user(attempt, path).stderr


@as_root
def test_lock_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    path.touch()
    os.chown(path, pwd.getpwnam(OTHER_USER).pw_uid, -1)

    with (
        pytest.raises(LocalError, match=r"received a file of the user nobody; expected a file of"),
        hold_lock(path, "held"),
    ):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_lock_file_that_is_no_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "run.lock"
    make(path)

    with pytest.raises(LocalError, match=r"run\.lock: .*move it away"), hold_lock(path, "held"):
        pass


def test_lock_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "home" / "run.lock"
    old_mask = os.umask(0)
    try:
        with hold_lock(path, "held"):
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(old_mask)
