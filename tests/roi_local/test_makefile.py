"""What the Makefile hands on to Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from roi_local.environment import REPOSITORY

HOSTILE = 'it\'s & "b" $HOME $(shell touch made) ${x} `touch ran` \\ # %41 $( ü;|<>*?!~'

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile next to an environment whose Python only shows what it was given."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / "include" / "roi_local").mkdir(parents=True)
    (tmp_path / "include" / "roi_local" / "bootstrap.py").write_text("")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/usr/bin/env python3\n"
        "import os, sys\n"
        "names = ('SOURCE', 'CSV', 'CONF', 'QUERY', 'PORT', 'YES')\n"
        "print(sys.argv[1:], *(os.environ['ROI_' + name] for name in names), sep='\\n')\n"
    )
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("variable", ["SOURCE", "CSV", "CONF", "QUERY", "PORT", "YES"])
@pytest.mark.parametrize("place", ["argument", "environment"])
def test_values_reach_python_as_they_were_typed(project: Path, variable: str, place: str) -> None:
    arguments = [f"{variable}={HOSTILE}"] if place == "argument" else []
    environment = {"PATH": os.environ["PATH"]}
    if place == "environment":
        environment[variable] = HOSTILE

    result = subprocess.run(
        ["make", "run", *arguments], cwd=project, env=environment, capture_output=True, text=True
    )

    assert result.returncode == 0, result.stderr
    expected = dict.fromkeys(("SOURCE", "CSV", "CONF", "QUERY", "PORT", "YES"), "")
    expected[variable] = HOSTILE
    assert result.stdout.splitlines() == [
        "['-I', '-m', 'roi_local.launch', 'roi_local.commands.run']",
        *expected.values(),
    ]
    assert not (project / "made").exists()
    assert not (project / "ran").exists()


def test_make_alone_lists_the_targets(project: Path) -> None:
    result = subprocess.run(["make"], cwd=project, capture_output=True, text=True)

    listed = {line.split()[1] for line in result.stdout.splitlines()}
    assert listed >= {"run", "up", "down", "sql", "clean", "test", "lint", "format", "help"}
