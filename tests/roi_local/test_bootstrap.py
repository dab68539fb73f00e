"""What `make setup` installs and refuses to install, one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from roi_local import bootstrap
from roi_local.bootstrap import SetupError
from roi_local.environment import REPOSITORY

PACKAGE = "roi_forecast_tiny"


def write_wheel(folder: Path) -> Path:
    folder.mkdir()
    path = folder / f"{PACKAGE}-1.0-py3-none-any.whl"
    details = f"{PACKAGE}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{PACKAGE}.py", "")
        wheel.writestr(
            f"{details}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{details}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{details}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment of its own, and next to it a folder with one wheel."""
    folder = tmp_path_factory.mktemp("bootstrap")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    write_wheel(folder / "wheels")
    return folder


def install(index: Path, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    monkeypatch.setattr(bootstrap, "VIRTUAL_ENVIRONMENT", index / "venv")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "wheels"))
    requirements = index / "requirements.txt"
    requirements.write_text(f"{PACKAGE}==1.0 {options}\n")
    bootstrap._install(None, requirements)


def is_installed(index: Path) -> bool:
    python = index / "venv" / "bin" / "python"
    answer = subprocess.run([python, "-c", f"import {PACKAGE}"], capture_output=True)
    return answer.returncode == 0


@pytest.mark.parametrize("options", ["", f"--hash=sha256:{'0' * 64}"], ids=["none", "another"])
def test_a_package_without_its_hash_is_not_installed(
    index: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    with pytest.raises(SetupError, match="ended with status 1"):
        install(index, monkeypatch, options)
    assert not is_installed(index)


def test_a_package_with_its_hash_is_installed(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (wheel,) = (index / "wheels").iterdir()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    install(index, monkeypatch, f"--hash=sha256:{digest}")
    assert is_installed(index)


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
        )
        waiting = False
        while process.poll() is None and not waiting:
            waiting = waits_for_a_lock(process.pid)
            time.sleep(0.01)
    assert process.wait() == 0
    assert waiting
