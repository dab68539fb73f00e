"""A container engine of the tests' own: Docker's daemon, which leaves nothing on the machine.

It runs in namespaces of its own, so its mounts and processes end with it. Builds need packages from
outside, so their daemon has the machine's network and makes none. Containers run under a daemon
whose network is its own too, with its bridges and rules of the packet filter.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

_BUILDING = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_CGROUP = "roi-tests-of-containers"
_START_SECONDS = 60
_STOP_SECONDS = 60


def missing_for_engine() -> str | None:
    """Return why no engine can start here, or None."""
    if os.geteuid() != 0:
        return "Docker's daemon needs root here"
    for program, package in {
        "dockerd": "docker.io",
        "docker": "docker.io",
        "setpriv": "util-linux",
        "unshare": "util-linux",
        "nsenter": "util-linux",
        "ip": "iproute2",
    }.items():
        if shutil.which(program) is None:
            return f"the program {program} is missing (Debian's package {package})"
    return None


@dataclass(frozen=True)
class Engine:
    """A running daemon.

    Attributes:
        process: The parent of the daemon, which holds its namespaces.
        socket: Where it answers.
        log: What it writes.
    """

    process: subprocess.Popen[bytes]
    socket: Path
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Docker's clients find it, and no settings of a person."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.socket.parent),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.socket.parent / "client"),
        }

    def docker(self, *arguments: str, input_text: str | None = None, seconds: float = 600) -> str:
        """Run Docker's client and return what it prints.

        Raises:
            AssertionError: It failed.
        """
        answer = subprocess.run(
            ["docker", *arguments],
            env=self.environment,
            input=input_text,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert answer.returncode == 0, f"docker {' '.join(arguments)}: {answer.stderr[-2000:]}"
        return answer.stdout

    def _daemon_pid(self) -> int:
        """Return the daemon's process as this process sees it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def inside(self) -> ThreadPoolExecutor:
        """Return one thread that is in the network of the containers' host."""
        path = f"/proc/{self._daemon_pid()}/ns/net"

        def enter() -> None:
            descriptor = os.open(path, os.O_RDONLY)
            clone_new_net = 0x40000000
            library = ctypes.CDLL(None, use_errno=True)
            assert library.setns(descriptor, clone_new_net) == 0, os.strerror(ctypes.get_errno())
            os.close(descriptor)

        return ThreadPoolExecutor(1, initializer=enter)

    def kill_process(self, container: str) -> None:
        """Kill a container's first process as a lack of memory does: the engine did not ask."""
        pid = self.docker("inspect", "--format", "{{.State.Pid}}", container).strip()
        command = ["nsenter", "--target", str(self._daemon_pid()), "--pid", "--mount"]
        subprocess.run([*command, "kill", "-KILL", pid], check=True)


@contextmanager
def building_engine(root: Path) -> Iterator[Engine]:
    """Run a daemon that only builds images, with the machine's network.

    Args:
        root: A folder for images and volumes; a later daemon finds them there.
    """
    with _engine(root, _NAMESPACES, _BUILDING) as engine:
        yield engine


@contextmanager
def isolated_engine(root: Path) -> Iterator[Engine]:
    """Run a daemon whose containers reach each other and nothing outside."""
    before = (*_NAMESPACES, "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    with _engine(root, before, ()) as engine:
        yield engine


@contextmanager
def _engine(root: Path, before: tuple[str, ...], options: tuple[str, ...]) -> Iterator[Engine]:
    socket, log, state = root / "engine.sock", root / "engine.log", root / "run"
    for leftover in (socket, root / "engine.pid"):
        leftover.unlink(missing_ok=True)
    (root / "data").mkdir(parents=True, exist_ok=True)
    # It does not outlive the tests, however they end.
    command = ["setpriv", "--pdeathsig", "KILL", *before, "dockerd"]
    command += ["--data-root", str(root / "data"), "--exec-root", str(state)]
    command += ["--pidfile", str(root / "engine.pid"), "--host", f"unix://{socket}"]
    command += ["--cgroup-parent", _CGROUP, *options]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    engine = Engine(process, socket, log)
    try:
        _wait_until_it_answers(engine)
        yield engine
    finally:
        _stop(engine)
        shutil.rmtree(state, ignore_errors=True)
        _remove_cgroups()


def _wait_until_it_answers(engine: Engine) -> None:
    deadline = time.monotonic() + _START_SECONDS
    command = ["docker", "info", "--format", "{{.ServerVersion}} {{.Driver}}"]
    while True:
        answer = subprocess.run(command, env=engine.environment, capture_output=True, text=True)
        if answer.returncode == 0:
            logger.info("engine: Docker %s", answer.stdout.strip())
            return
        ended = engine.process.poll() is not None
        if ended or time.monotonic() > deadline:
            lines = engine.log.read_text(errors="replace").splitlines()[-5:]
            raise EngineError("no engine starts here: " + " | ".join(lines))
        time.sleep(0.2)


class EngineError(Exception):
    """No engine starts on this machine."""


def _stop(engine: Engine) -> None:
    # The parent of the daemon takes no part in its end: ask the daemon itself.
    with suppress(OSError, IndexError):
        os.kill(engine._daemon_pid(), signal.SIGTERM)
    try:
        engine.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        engine.process.kill()
        engine.process.wait()


def _remove_cgroups() -> None:
    for folder in Path("/sys/fs/cgroup").rglob(_CGROUP):
        for path in sorted([folder, *folder.rglob("*")], reverse=True):
            with suppress(OSError):
                if path.is_dir():
                    path.rmdir()
