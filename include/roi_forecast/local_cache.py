"""The folder of what may be deleted at any time and that no other host sees."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def cache_directory() -> Path:
    """Return this user's folder of caches, below that of temporary files (TMPDIR).

    Raises:
        OSError: It cannot be created, or others can write to it.
    """
    folder = Path(tempfile.gettempdir(), f"roi-cache-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder}: expected a folder that only its owner can write to")
    return folder
