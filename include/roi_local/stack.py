"""The live Airflow of this machine: whether it is up, and requests to its REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import httpx

from roi_local.environment import ADMINISTRATOR, UP_PURPOSE, Home, load_secrets
from roi_local.errors import LocalError
from roi_local.private_files import is_locked

DEFAULT_PORT = 8080
"""TCP port of the API server unless PORT names another one."""

_READY_SECONDS = 180
_REQUEST_SECONDS = 30
_COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def is_stack_up(home: Home) -> bool:
    """Tell whether `make up` runs or starts."""
    return is_locked(home.lock(UP_PURPOSE))


@dataclass(frozen=True)
class Stack:
    """Address and process of the live stack.

    Attributes:
        process_id: The process of `make up`.
        port: TCP port of the API server on 127.0.0.1.
    """

    process_id: int
    port: int

    @property
    def address(self) -> str:
        """URL of the API server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pages_address(self) -> str:
        """URL of the forecast pages in Airflow's navigation."""
        return f"{self.address}/plugin/roi-forecasts"

    def write(self, home: Home) -> None:
        """Store this for other commands; the file counts only while the lock is held."""
        unfinished = home.stack_file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.replace(home.stack_file)

    def unhealthy_components(self) -> list[str]:
        """Return the components that do not work yet; all of them while nothing answers."""
        try:
            health = self._request("GET", "/api/v2/monitor/health").json()
        except httpx.HTTPError:
            return list(_COMPONENTS)
        return [name for name in _COMPONENTS if health.get(name, {}).get("status") != "healthy"]

    def trigger(self, home: Home, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run of a DAG as the administrator and return its id.

        Raises:
            LocalError: The stack refuses the run, does not know the DAG, or has paused it.
        """
        if self._wait_for_dag(home, dag_id)["is_paused"]:
            raise LocalError(
                f"{dag_id} is paused, so that a run would never start; "
                f"unpause it at {self.address}/dags/{quote(dag_id)}"
            )
        body = {"logical_date": None, "conf": dict(conf)}
        try:
            answer = self._request("POST", f"{_dag_path(dag_id)}/dagRuns", body, home=home)
        except httpx.HTTPStatusError as error:
            raise LocalError(f"the stack refused the run: {_detail(error)}") from None
        return str(answer.json()["dag_run_id"])

    def knows_run(self, home: Home, dag_id: str, run_id: str) -> bool:
        """Tell whether a run exists; if the stack does not answer, it counts as existing."""
        path = f"{_dag_path(dag_id)}/dagRuns/{quote(run_id, safe='')}"
        try:
            self._request("GET", path, home=home)
        except httpx.HTTPError as error:
            response = getattr(error, "response", None)
            return response is None or response.status_code != httpx.codes.NOT_FOUND
        return True

    def _wait_for_dag(self, home: Home, dag_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if not is_stack_up(home):
                raise LocalError("`make up` ended before the run could be started")
            try:
                dag: dict[str, Any] = self._request("GET", _dag_path(dag_id), home=home).json()
            except httpx.HTTPError:
                time.sleep(1)
            else:
                return dag
        raise LocalError(
            f"the stack at {self.address} did not know the DAG {dag_id} after {_READY_SECONDS} s; "
            f"its import errors are shown at {self.address}"
        )

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        home: Home | None = None,
    ) -> httpx.Response:
        """Ask the API server; with `home`, as the administrator of that installation.

        Raises:
            httpx.HTTPError: It does not answer, or refuses.
        """
        headers = {}
        if home is not None:
            password = load_secrets(home).administrator_password
            login = {"username": ADMINISTRATOR, "password": password}
            token = self._request("POST", "/auth/token", login).json()["access_token"]
            headers["Authorization"] = f"Bearer {token}"
        # Proxies of the environment are for other machines.
        answer = httpx.request(
            method,
            self.address + path,
            json=body,
            headers=headers,
            timeout=_REQUEST_SECONDS,
            trust_env=False,
        )
        return answer.raise_for_status()


def read_stack(home: Home) -> Stack:
    """Return the stack that is up or just starts.

    Raises:
        LocalError: It did not start in time.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and is_stack_up(home):
        if home.stack_file.exists():
            return Stack(**json.loads(home.stack_file.read_text(encoding="utf-8")))
        time.sleep(0.2)
    raise LocalError("`make up` has not started its stack; see what it says")


def _dag_path(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}"


def _detail(error: httpx.HTTPStatusError) -> str:
    try:
        return str(error.response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)
