"""Airflow's real API server alone, on a planted market, for tests of what it lets in.

Unlike the shared live stack, a test may flood it, and it can stand below a path or have the login
of an installation by docker compose.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from installation import free_port
from planted import plant_market
from roi_forecast.database.engine import create_database_engine
from roi_local.environment import (
    ADMINISTRATOR,
    MARKET_DATABASE,
    Home,
    airflow_environment,
    load_secrets,
)
from roi_local.postgres.databases import prepare_airflow, prepare_market
from roi_local.postgres.server import start_postgres

FAB = {
    "AIRFLOW__CORE__AUTH_MANAGER": (
        "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    ),
    # As in docker-compose.yaml: it would lock out everybody at the address of a guesser.
    "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
}
READY_SECONDS = 240


@dataclass(frozen=True)
class ApiServer:
    """A running API server.

    Attributes:
        address: What its paths follow, with the path of the public address.
        password: Of the user `admin`.
        environment: Of its process.
        process: Its process.
    """

    address: str
    password: str
    environment: Mapping[str, str]
    process: psutil.Process

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client, logged in where a token is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=120, trust_env=False)

    def log_in(self, client: httpx.Client, username: str, password: str) -> httpx.Response:
        """Ask for a token."""
        return client.post("/auth/token", json={"username": username, "password": password})

    def token(self) -> str:
        """Return a token of the administrator."""
        with self.client() as client:
            answer = self.log_in(client, ADMINISTRATOR, self.password)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])


@contextmanager
def run_api_server(
    folder: Path, *, path: str = "", settings: Mapping[str, str] | None = None
) -> Iterator[ApiServer]:
    """Run an API server in an installation of its own.

    Args:
        folder: Holds everything it leaves behind.
        path: Of the public address.
        settings: Further variables of its environment.
    """
    home = Home(folder / "roi", folder / "dags")
    home.dags_folder.mkdir(exist_ok=True)
    port = free_port()
    with start_postgres(home.postgres_directory) as postgres:
        address = f"http://127.0.0.1:{port}{path}"
        environment = airflow_environment(home, postgres, port=port)
        environment |= {"AIRFLOW__API__BASE_URL": address, **(settings or {})}
        prepare_market(postgres)
        engine = create_database_engine(postgres.url(MARKET_DATABASE))
        plant_market(engine, assets=20, sessions=200)
        engine.dispose()
        prepare_airflow(home, postgres, environment)
        password = load_secrets(home).administrator_password
        if "AIRFLOW__CORE__AUTH_MANAGER" in environment:
            _create_administrator(environment, password)
        log_path = folder / "api-server.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "api-server"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = ApiServer(address, password, environment, psutil.Process(process.pid))
        try:
            _wait_until_ready(server, process, log_path)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _create_administrator(environment: Mapping[str, str], password: str) -> None:
    command = [sys.executable, "-m", "airflow", "users", "create", "--role", "Admin"]
    for name, value in {
        "username": ADMINISTRATOR,
        "password": password,
        "firstname": "A",
        "lastname": "B",
        "email": "admin@example.com",
    }.items():
        command += [f"--{name}", value]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _wait_until_ready(server: ApiServer, process: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with server.client() as client:
        while True:
            assert process.poll() is None, log_path.read_text(errors="replace")
            assert time.monotonic() < deadline, log_path.read_text(errors="replace")
            try:
                if client.get("/api/v2/monitor/health").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
