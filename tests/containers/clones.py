"""Clones as a person has them: what git knows, without a folder .git or files that it ignores.

Only their owner may read them, as with a umask of 077.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from roi_local.environment import REPOSITORY

_RUN = ["include", "dags", "plugins", "Dockerfile", "docker-compose.yaml", "requirements*.txt"]
_TABLES = [f"include/roi_forecast/database/{name}" for name in ("tables", "migrations/versions")]


def clone_present(folder: Path) -> str:
    """Copy the working tree, with changes that are not committed; return its revision."""
    folder.mkdir(mode=0o700)
    names = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in names:
        source = REPOSITORY / name
        if name and source.is_file():
            target = folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o700 if source.stat().st_mode & 0o100 else 0o600)
    return _git("describe", "--always", "--dirty").strip()


def clone_earlier(folder: Path, revision: str) -> None:
    """Copy what was committed at a revision."""
    archive = subprocess.run(
        ["git", "archive", revision], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    # Docker's cache counts the modes too.
    for path in [folder, *folder.rglob("*")]:
        is_open = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o700 if is_open else 0o600)


def earlier_revisions() -> list[str]:
    """Return the revisions whose images differ from those of the working tree, newest first.

    Only those with the tables of the working tree: a database of others is refused on purpose.
    """
    revisions = _git("log", "-30", "--format=%H", "--", *_RUN).split()
    if not _git("status", "--porcelain", "--", *_RUN):
        del revisions[0]
    return [each for each in revisions if not _git("diff", "--name-only", each, "--", *_TABLES)]


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout
