"""Ending processes together with all they started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from roi_local.processes import end_processes, find_processes, mark

# A parent that ignores SIGTERM, and a child in a session of its own that outlives it.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""


def test_orphans_and_stubborn_processes_end_and_strangers_stay(tmp_path: Path) -> None:
    purpose = str(tmp_path)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    parent = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        env=mark(os.environ, purpose),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        while len(find_processes(purpose)) < 2:
            time.sleep(0.05)

        end_processes(purpose, patience=0.5)

        assert find_processes(purpose) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        parent.kill()
        parent.communicate()
