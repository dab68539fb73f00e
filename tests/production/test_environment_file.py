from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from documentation import commands
from production.compose_file import read_environment_file
from roi_local.environment import REPOSITORY
from roi_local.errors import LocalError
from roi_production.environment_file import SECRETS, SETTINGS, write_environment
from special_files import SPECIAL_FILES


def test_every_secret_is_long_different_and_safe_in_urls_and_compose(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        assert write_environment(path) == [*SECRETS, *SETTINGS]
    values = [read_environment_file(path)[name] for path in (first, second) for name in SECRETS]
    assert len(set(values)) == len(values)
    for value in values:
        assert re.fullmatch(r"[A-Za-z0-9_=-]{32,}", value)


def test_the_command_of_the_page_writes_the_file(tmp_path: Path) -> None:
    (documented,) = {command.text for command in commands("environment file")}
    planned = subprocess.run(
        [*shlex.split(documented), "--dry-run", f"--directory={REPOSITORY}"],
        capture_output=True,
        text=True,
        check=True,
    )
    # The file would be that of this clone: the test names another one.
    line = f"{planned.stdout.splitlines()[-2]} {tmp_path / '.env'}"
    shown = subprocess.run(
        ["bash", "-c", line.replace(".venv/bin/python", sys.executable)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{tmp_path / '.env'}: POSTGRES_PASSWORD," in shown.stdout
    assert {*read_environment_file(tmp_path / ".env")} == {*SECRETS, *SETTINGS}


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch(mode=0o644)
    write_environment(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_content_of_the_file_stays_and_only_missing_settings_are_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# ours\nREDIS_PASSWORD=old\nOTHER=1\n")
    added = write_environment(path)
    assert "REDIS_PASSWORD" not in added
    values = read_environment_file(path)
    assert (values["REDIS_PASSWORD"], values["OTHER"]) == ("old", "1")
    before = path.read_text()
    assert write_environment(path) == []
    assert path.read_text() == before


def test_error_names_a_line_that_is_not_a_setting_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("REDIS_PASSWORD=old\nexport X\n")
    with pytest.raises(LocalError, match="line 2: expected NAME=value"):
        write_environment(path)
    assert path.read_text() == "REDIS_PASSWORD=old\nexport X\n"


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_a_path_that_is_not_a_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".env"
    SPECIAL_FILES[kind](path)
    before = {entry: entry.lstat() for entry in tmp_path.iterdir()}

    with pytest.raises(LocalError, match=r"\.env cannot be written: it is .*; name a regular file"):
        write_environment(path)

    assert {entry: entry.lstat() for entry in tmp_path.iterdir()} == before
