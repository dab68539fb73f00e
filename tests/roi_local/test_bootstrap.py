"""What `make setup` installs, and what it refuses to install."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from roi_local import bootstrap
from roi_local.bootstrap import SetupError

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
    """A virtual environment of its own, and beside it a folder with one wheel."""
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
