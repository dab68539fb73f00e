"""Locks between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from roi_local.environment import REPOSITORY
from roi_local.errors import LocalError
from roi_local.locks import hold_lock, is_locked

HOLDER = """
import pathlib, sys, time
from roi_local.locks import hold_lock
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
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "include")}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], env=environment, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_locked(path)
        holder.send_signal(signal.SIGKILL)

    with hold_lock(path, "still held"):
        pass
