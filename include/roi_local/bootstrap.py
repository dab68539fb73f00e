"""Create the virtual environment; needs nothing but Python, and says so where that is too old.

Run as a script by the Makefile: `python3 bootstrap.py run|dev`. It is instant once the environment
matches the pinned requirements.
"""

# This file is read by whatever python3 a machine has, so its syntax stays that of Python 3.7.
from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
VIRTUAL_ENVIRONMENT = REPOSITORY / ".venv"
REQUIREMENTS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}
OLDEST, NEWEST = (3, 11), (3, 13)
# Settings of pip and uv that change what is installed, or where; those of an index, a proxy or a
# cache stay. With -I Python itself takes none of its own, but what it starts would.
_MISLEADING = re.compile(
    r"PYTHON.*|VIRTUAL_ENV|CONDA_PREFIX"
    r"|PIP_(USER|TARGET|PREFIX|ROOT|PYTHON|DRY_RUN|PRE|NO_DEPS|REQUIREMENT|(BUILD_)?CONSTRAINT)"
    r"|UV_(TARGET|PREFIX|PYTHON|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|DRY_RUN|NO_DEPS|RESOLUTION"
    r"|PRERELEASE|EXCLUDE_NEWER|OVERRIDE|(BUILD_)?CONSTRAINT)"
)
_ASK_VERSION = "import sys; print(*sys.version_info[:2])"


class SetupError(Exception):
    """The environment cannot be created; the message says what to do."""


def set_up(purpose: str) -> None:
    """Create or update the virtual environment for a purpose.

    Args:
        purpose: `run`, or `dev` for the tools of tests and checks as well.

    Raises:
        SetupError: No fitting Python was found, or the packages could not be installed.
    """
    # One at a time, on a file that is there anyway.
    with (REPOSITORY / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(_is_current(wanted) for wanted in {purpose, "dev"}):
            return
        uv = _find_uv()
        _create(uv)
        _install(uv, REPOSITORY / REQUIREMENTS[purpose])
        _install_project(uv)
        _stamp(purpose).write_text(_fingerprint(purpose), encoding="utf-8")


def _is_current(purpose: str) -> bool:
    stamp = _stamp(purpose)
    if not stamp.exists() or not _python().exists():
        return False
    return stamp.read_text(encoding="utf-8") == _fingerprint(purpose)


def _stamp(purpose: str) -> Path:
    return VIRTUAL_ENVIRONMENT / f"installed-{purpose}"


def _python() -> Path:
    return VIRTUAL_ENVIRONMENT / "bin" / "python"


def _fingerprint(purpose: str) -> str:
    """Return what the environment is made of: requirements, project, interpreter, place."""
    requirements = (REPOSITORY / REQUIREMENTS[purpose]).read_bytes()
    project = (REPOSITORY / "pyproject.toml").read_bytes()
    configuration = (VIRTUAL_ENVIRONMENT / "pyvenv.cfg").read_bytes()
    place = os.fsencode(str(VIRTUAL_ENVIRONMENT))
    interpreter = os.fsencode(str(_python().resolve()))
    parts = (requirements, project, configuration, place, interpreter)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _version(python: str) -> tuple[int, ...]:
    """Return the version of a Python, or an empty tuple where it does not start."""
    try:
        answer = subprocess.run(
            [python, "-c", _ASK_VERSION], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return tuple(int(part) for part in answer.stdout.split())
    except (OSError, ValueError):
        return ()


def _fits(python: str) -> bool:
    return OLDEST <= _version(python) <= NEWEST


def _find_uv() -> str | None:
    uv = shutil.which("uv")
    if uv is None:
        return None
    works = subprocess.run([uv, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return uv if works.returncode == 0 else None


def _find_python() -> str | None:
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    candidates = [sys.executable, *filter(None, map(shutil.which, ["python3", *names]))]
    return next((python for python in candidates if _fits(python)), None)


def _create(uv: str | None) -> None:
    python = _find_python()
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
    if python is None and uv is None:
        received = ".".join(map(str, sys.version_info[:3]))
        raise SetupError(
            f"Python {oldest} to {newest} is needed, but {sys.executable} is {received}; "
            "install one, name it with PYTHON=/path/to/python, or install uv"
        )
    if _fits(str(_python())) and (uv is not None or _has_pip()):
        return
    print("Creating the virtual environment in .venv ...", flush=True)
    if uv is not None:
        wanted = python or newest
        _run([uv, "venv", "--quiet", "--clear", "--python", wanted, str(VIRTUAL_ENVIRONMENT)])
        return
    try:
        _run([str(python), "-m", "venv", "--clear", str(VIRTUAL_ENVIRONMENT)])
    except SetupError as error:
        raise SetupError(
            f"{error}; on Debian and Ubuntu the package python3-venv is needed, or install uv"
        ) from None


def _has_pip() -> bool:
    check = [str(_python()), "-m", "pip", "--version"]
    return (
        subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    )


def _install(uv: str | None, requirements: Path) -> None:
    print(f"Installing {requirements.name}, 3 GB in all, minutes at first ...", flush=True)
    python = str(_python())
    compiling = "--no-compile" if uv is None else "--compile-bytecode"
    # The file names every package, also those that others need: nothing is left to resolve, and
    # some releases of pip take an extra that one package asks of another for an unpinned package.
    command = [*_installer(uv), "--no-deps", "--require-hashes", compiling]
    _run([*command, "-r", str(requirements)])
    if uv is None:
        # Some packages ship templates that are no valid Python, so the status says nothing.
        packages = str(VIRTUAL_ENVIRONMENT / "lib")
        subprocess.run(
            [python, "-m", "compileall", "-q", "-j0", packages],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _install_project(uv: str | None) -> None:
    """Install the project where it lies; the packages installed before contain what builds it."""
    command = [*_installer(uv), "--no-deps", "--no-build-isolation", "--editable"]
    _run([*command, str(REPOSITORY)])


def _installer(uv: str | None) -> list[str]:
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", str(_python())]
    pip = [str(_python()), "-m", "pip"]
    return [*pip, "install", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str]) -> None:
    status = subprocess.run(command).returncode
    if status != 0:
        raise SetupError(f"{' '.join(command)} ended with status {status}")


def main() -> None:
    """Set up for the purpose named on the command line."""
    for name in filter(_MISLEADING.fullmatch, list(os.environ)):
        del os.environ[name]
    # PostgreSQL's user has to be able to read the packages where root installs them.
    os.umask(0o022)
    try:
        set_up(sys.argv[1])
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; start it again to continue")


if __name__ == "__main__":
    main()
