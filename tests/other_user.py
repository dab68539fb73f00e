"""A second user of the machine, for tests that run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
OTHER_USER = "nobody"


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """Give a folder that every user can enter; those of pytest are closed to others."""
    with TemporaryDirectory(prefix="roi-for-all-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_other_user(statement: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python statement as another user; it knows `os`, `fcntl` and `place`."""
    owner = pwd.getpwnam(OTHER_USER)
    program = f"import fcntl, os, sys; place = sys.argv[1]; {statement}"
    # The system's Python: the project's may lie where the other user does not get.
    return subprocess.run(
        [_system_python(), "-I", "-c", program, str(place)],
        user=owner.pw_uid,
        group=owner.pw_gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
    )


def _system_python() -> str:
    for path in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if Path(path).exists():
            return path
    return sys.executable
