"""An installation by docker compose, as its administrator and its users see it."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from containers.compose import Compose
from live_stack import SMALL
from roi_local.commands.run import DAILY_DAG

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

SERVICES = (
    "postgres",
    "redis",
    "api-server",
    "scheduler",
    "dag-processor",
    "triggerer",
    "worker-cpu",
)
ADDRESS = "http://127.0.0.1:8080"

# Two assets to fetch.
ALONE = {"context_symbols": []}

_HEALTHY_SECONDS = 420
_RUN_SECONDS = 1500
_opener = build_opener(ProxyHandler({}))


@dataclass
class Installation:
    """The services of one clone, or of another clone after an upgrade.

    Attributes:
        compose: Docker Compose in the clone.
        variables: What is in .env.
        network: A thread in the network of the containers' host.
    """

    compose: Compose
    variables: Mapping[str, str]
    network: ThreadPoolExecutor

    def wait_until_healthy(self) -> None:
        """Wait until every service is healthy and the job init has ended well."""
        started = time.monotonic()

        def everything_is_healthy() -> bool:
            return self.states() == dict.fromkeys(SERVICES, "healthy")

        try:
            wait_until(everything_is_healthy, _HEALTHY_SECONDS, pause=2)
        except TimeoutError:
            logs = self.compose("logs", "--tail", "25")
            raise AssertionError(f"not healthy: {self.states()}\n{logs[-8000:]}") from None
        logger.info("all services healthy after %.0f s", time.monotonic() - started)

    def states(self) -> dict[str, str]:
        """Return what the engine knows of each lasting service's health."""
        rows = map(json.loads, self.compose("ps", "--all", "--format", "json").splitlines())
        return {
            row["Service"]: row["Health"] or row["State"]
            for row in rows
            if row["Service"] != "init"
        }

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def sql(self, query: str, database: str = "market") -> list[list[str]]:
        """Ask PostgreSQL in its container; return rows of text."""
        command = ["exec", "-T", "postgres", "psql", "--username=postgres", f"--dbname={database}"]
        output = self.compose(*command, "--no-align", "--tuples-only", f"--command={query}")
        return [line.split("|") for line in output.splitlines()]

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ""
    ) -> tuple[int, Any]:
        """Ask the API server at its published port; return status and decoded answer."""
        request = Request(
            ADDRESS + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        return self.network.submit(_send, request).result(120)

    def token(self) -> str:
        """Log in as the administrator."""
        login = {"username": "admin", "password": self.variables["AIRFLOW_ADMINISTRATOR_PASSWORD"]}
        status, answer = self.request("POST", "/auth/token", login)
        assert status in (200, 201), answer
        return str(answer["access_token"])

    def trigger(self, model_name: str, **conf: Any) -> str:
        """Start a run of the daily workflow by REST and return its id."""
        status, answer = self.request(
            "POST",
            f"/api/v2/dags/{DAILY_DAG}/dagRuns",
            {"logical_date": None, "conf": {**SMALL, **ALONE, "model_name": model_name, **conf}},
            self.token(),
        )
        assert status == 200, answer
        logger.info("triggered a run of %s", model_name)
        return str(answer["dag_run_id"])

    def wait_for_end(self, run_id: str) -> str:
        """Return the state in which a run ends."""
        started = time.monotonic()
        query = f"SELECT state FROM dag_run WHERE run_id = '{run_id}'"

        def end() -> str | None:
            ((state,),) = self.sql(query, "airflow")
            return state if state not in ("queued", "running") else None

        state = wait_until(end, _RUN_SECONDS, pause=2)
        logger.info("the run ended after %.0f s: %s", time.monotonic() - started, state)
        return state

    def log(self, run_id: str, task_id: str, map_index: int = -1) -> str:
        """Return what the last attempt at a task wrote, by REST."""
        ((attempt,),) = self.sql(
            f"SELECT try_number FROM task_instance WHERE run_id = '{run_id}' "
            f"AND task_id = '{task_id}' AND map_index = {map_index}",
            "airflow",
        )
        status, answer = self.request(
            "GET",
            f"/api/v2/dags/{DAILY_DAG}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
            f"/logs/{attempt}?map_index={map_index}&full_content=true",
            token=self.token(),
        )
        assert status == 200, answer
        return str(answer["content"])

    def forecasts(self, model_name: str) -> dict[tuple[str, int], float]:
        """Return the newest forecasts of a model by REST: percent by symbol and horizon."""
        path = f"/roi/api/v1/forecasts/latest?model_name={model_name}"
        status, answer = self.request("GET", path, token=self.token())
        assert status == 200, answer
        return {
            (row["symbol"], row["horizon"]): row["predicted_roi_pct"] for row in answer["items"]
        }

    def stored_forecasts(self, model_name: str) -> dict[tuple[str, int], float]:
        """Return the same by SQL."""
        query = (
            "SELECT symbol, horizon, predicted_roi_pct FROM roi.latest_forecasts "
            f"WHERE model_name = '{model_name}'"
        )
        return {(row[0], int(row[1])): float(row[2]) for row in self.sql(query)}

    def python(self, service: str, statement: str) -> str:
        """Run a statement in a service's container, by its user."""
        return self.compose("exec", "-T", service, "python", "-c", statement).strip()


def wait_until(question: Callable[[], Value], seconds: float, pause: float = 0.5) -> Value:
    """Ask until the answer counts as true, and return it.

    Raises:
        TimeoutError: It did not within the time.
    """
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(pause)
    return answer


def _send(request: Request) -> tuple[int, Any]:
    try:
        with _opener.open(request, timeout=60) as response:
            status, content = response.status, response.read()
    except HTTPError as error:
        status, content = error.code, error.read()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, re.sub(rb"\s+", b" ", content).decode(errors="replace")
