"""The services of docker-compose.yaml as processes of this machine: same commands and settings.

Names of hosts become ports of 127.0.0.1, paths of the containers become paths of a folder and of
the repository. PostgreSQL is the embedded one, but behind passwords as in a container; Redis is
Debian's.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import psycopg

from installation import free_port
from production.compose_file import read_compose, read_environment_file, words
from roi_local.environment import REPOSITORY
from roi_local.postgres.programs import create_data, server_programs, spawn
from roi_local.processes import end_processes, find_processes, mark
from roi_production.environment_file import write_environment

SERVICE_VARIABLE = "ROI_TEST_SERVICE"
READY_SECONDS = 900

_opener = build_opener(ProxyHandler({}))


def service_name() -> str:
    """Return the service that this process belongs to: the name of its host, to Airflow."""
    return os.environ[SERVICE_VARIABLE]


@dataclass
class NativeCompose:
    """A topology in a folder.

    Attributes:
        folder: Holds everything it leaves behind.
        variables: Content of its .env.
        settings: Settings of Airflow that only a test needs.
    """

    folder: Path
    variables: dict[str, str]
    settings: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ports = {
            "postgres:5432": free_port(),
            "redis:6379": free_port(),
            "api-server:8080": free_port(),
        }
        self.compose: dict[str, Any] = read_compose(self.variables)
        (self.folder / "roi" / "airflow").mkdir(parents=True)
        for name in ("logs", "data"):
            (self.folder / "roi" / name).mkdir()

    @property
    def purpose(self) -> str:
        """The mark of its processes."""
        return f"{self.folder}:compose"

    @property
    def address(self) -> str:
        """Where the API server answers."""
        return f"http://127.0.0.1:{self._ports['api-server:8080']}"

    @property
    def data_directory(self) -> Path:
        """The volume `data`."""
        return self.folder / "roi" / "data"

    @property
    def logs_directory(self) -> Path:
        """The volume `logs`."""
        return self.folder / "roi" / "logs"

    def output(self, name: str) -> Path:
        """Return where a process writes."""
        return self.folder / f"{name}.log"

    def environment(self, service: str) -> dict[str, str]:
        """Return the environment of a service's process."""
        own = self.compose["services"][service].get("environment") or {}
        translated = {name: self._translate(str(value)) for name, value in own.items()}
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        programs = str(Path(sys.executable).parent)
        environment = inherited | translated | dict(self.settings)
        environment |= {
            "PATH": f"{programs}{os.pathsep}{inherited.get('PATH', os.defpath)}",
            "PYTHONPATH": str(REPOSITORY / "tests"),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "127.0.0.1",
            "AIRFLOW_HOME": str(self.folder / "roi" / "airflow"),
        }
        return mark(environment, self.purpose)

    def login(self, variable: str, service: str = "init") -> psycopg.Connection[Any]:
        """Connect with the URL that a service has in a variable."""
        url = self.environment(service)[variable]
        plain = re.sub(r"^(db\+)?postgresql\+\w+", "postgresql", url)
        return psycopg.connect(plain, autocommit=True)

    def start_postgres(self) -> None:
        """Start PostgreSQL; logins over TCP need their passwords."""
        data = self.folder / "postgres"
        programs = server_programs()
        create_data(data, programs)
        (data / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        settings = {
            "unix_socket_directories": str(data),
            "listen_addresses": "127.0.0.1",
            "port": str(self._ports["postgres:5432"]),
            "max_connections": "200",
        }
        command = [str(programs / "bin" / "postgres")]
        with self.output("postgres").open("ab") as log:
            self.processes["postgres"] = spawn(
                command, data, log, settings=settings, own_session=True
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = psycopg.connect(
                    host=str(data), port=self._ports["postgres:5432"], user="postgres"
                )
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.output("postgres").read_text()
                time.sleep(0.1)
        with connection:
            # As the image does it on first start.
            password = psycopg.sql.Literal(self.variables["POSTGRES_PASSWORD"])
            connection.execute(psycopg.sql.SQL("ALTER ROLE postgres PASSWORD {}").format(password))

    def start(
        self, service: str, *, name: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        """Start a service's command.

        Args:
            service: As the file calls it.
            name: Of this instance; a worker is known to Airflow by it.
            options: Further words of the command.
        """
        name = name or service
        command = [
            self._translate(word) for word in words(self.compose["services"][service]["command"])
        ]
        if service == "redis":
            command[-1] = command[-1].replace(
                "dir /data", f"dir {self.folder}\nport {self._ports['redis:6379']}"
            )
        environment = self.environment(service) | {
            SERVICE_VARIABLE: name,
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "production.native.service_name",
        }
        with self.output(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run_to_end(self, service: str) -> str:
        """Run a service that ends by itself; return what it wrote."""
        self.start(service)
        status = self.processes.pop(service).wait(READY_SECONDS)
        output = self.output(service).read_text(encoding="utf-8", errors="replace")
        assert status == 0, output
        return output

    def is_healthy(self, service: str) -> bool:
        """Run the service's own health check."""
        test = self.compose["services"][service]["healthcheck"]["test"]
        assert test[0] == "CMD"
        answer = subprocess.run(
            test[1:], env=self.environment(service), capture_output=True, timeout=120
        )
        return answer.returncode == 0

    def kill(self, name: str) -> None:
        """Kill a process and everything it started with signal 9."""
        for process in find_processes(self.purpose):
            # Tasks of other services end meanwhile.
            with suppress(psutil.NoSuchProcess):
                if process.environ().get(SERVICE_VARIABLE) == name:
                    process.send_signal(signal.SIGKILL)
        self.processes.pop(name).wait(30)

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        """Ask the API server; return the status and the answer."""
        request = Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with _opener.open(request, timeout=60) as response:
                return response.status, json.loads(response.read() or b"null")
        except HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def token(self, username: str, password: str) -> str:
        """Log in."""
        status, answer = self.request(
            "POST", "/auth/token", {"username": username, "password": password}
        )
        assert status == 201, answer
        return str(answer["access_token"])

    def wait_until(self, condition: Any, seconds: float = READY_SECONDS) -> Any:
        """Return what the condition gives once it is true; fail where a process ends before."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            for name, process in self.processes.items():
                tail = "\n".join(self.output(name).read_text(errors="replace").splitlines()[-30:])
                assert process.poll() is None, f"{name} ended:\n{tail}"
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return found

    def stop(self) -> None:
        """Stop everything."""
        postgres = self.processes.pop("postgres", None)
        redis = self.processes.pop("redis", None)
        if redis is not None:
            # It overwrites the memory that the mark is read from, so it is ended by its group.
            os.killpg(redis.pid, signal.SIGKILL)
            redis.wait(60)
        # Nothing of it is used again, so nothing has to end in order.
        end_processes(self.purpose, patience=1)
        if postgres is not None:
            postgres.send_signal(signal.SIGINT)
            postgres.wait(60)

    def _translate(self, text: str) -> str:
        for host, port in self._ports.items():
            text = text.replace(f"@{host}", f"@127.0.0.1:{port}").replace(
                f"//{host}", f"//127.0.0.1:{port}"
            )
        text = text.replace("/var/lib/roi", str(self.folder / "roi"))
        text = text.replace("/opt/roi", str(REPOSITORY))
        if text == "0.0.0.0":
            return "127.0.0.1"
        return str(self._ports["api-server:8080"]) if text == "8080" else text


def create_compose(
    folder: Path, settings: Mapping[str, str], variables: Mapping[str, str]
) -> NativeCompose:
    """Generate secrets and prepare a folder; nothing is started.

    Args:
        folder: Empty.
        settings: Settings of Airflow that only the test needs.
        variables: Takes the place of variables of the generated .env.
    """
    environment_file = folder / ".env"
    write_environment(environment_file)
    generated = read_environment_file(environment_file)
    return NativeCompose(folder, {**generated, **variables}, settings)
