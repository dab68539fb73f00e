"""The virtual environment is made by one process at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from roi_local.environment import REPOSITORY


def waits_for_a_lock(process_id: int) -> bool:
    """Tell whether the kernel lets a process wait for the lock of a file."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("->" in line and str(process_id) in line.split() for line in lines)


def test_setting_up_waits_for_another_that_is_at_it() -> None:
    # The environment that runs the tests is taken for current, so nothing is installed.
    code = (
        "from roi_local import bootstrap; bootstrap._is_current = lambda purpose: True; "
        "bootstrap.set_up('run')"
    )
    with (REPOSITORY / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "include")},
        )
        waiting = False
        while process.poll() is None and not waiting:
            waiting = waits_for_a_lock(process.pid)
            time.sleep(0.01)
    assert process.wait() == 0
    assert waiting
