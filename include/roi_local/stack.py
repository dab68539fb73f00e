"""The live Airflow of this machine: whether it is up, and asking it over its REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from roi_local.environment import ADMINISTRATOR, Home, load_secrets
from roi_local.errors import LocalError
from roi_local.locks import is_locked

UP_PURPOSE = "up"
RUN_PURPOSE = "run"
_READY_SECONDS = 180
_REQUEST_SECONDS = 30

# Proxies of the environment are for other machines.
_opener = build_opener(ProxyHandler({}))


def purpose_mark(home: Home, purpose: str) -> str:
    """Return the mark of the processes that one installation runs for one purpose."""
    return f"{home.directory}:{purpose}"


def stack_lock(home: Home) -> Path:
    """Return the file whose lock `make up` holds while it runs."""
    return home.directory / "up.lock"


def run_lock(home: Home) -> Path:
    """Return the file whose lock `make run` holds, and `make up` while it starts."""
    return home.directory / "run.lock"


def is_stack_up(home: Home) -> bool:
    """Tell whether `make up` runs or starts."""
    return is_locked(stack_lock(home))


@dataclass(frozen=True)
class Stack:
    """Where the live stack answers.

    Attributes:
        process_id: The process of `make up`.
        port: TCP port of the API server on 127.0.0.1.
    """

    process_id: int
    port: int

    @property
    def address(self) -> str:
        """Where the API server answers."""
        return f"http://127.0.0.1:{self.port}"

    def write(self, home: Home) -> None:
        """Let other commands know; the file means nothing while nobody holds the lock."""
        path = _stack_file(home)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        unfinished.replace(path)

    def unhealthy_components(self) -> list[str]:
        """Return the components that do not work yet; all of them while nothing answers."""
        components = ["metadatabase", "scheduler", "dag_processor", "triggerer"]
        try:
            health = self._request("GET", "/api/v2/monitor/health")
        except (URLError, OSError):
            return components
        return [name for name in components if health.get(name, {}).get("status") != "healthy"]

    def trigger(self, home: Home, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run of a DAG as the administrator and return its id.

        Raises:
            LocalError: The stack refuses the run, does not know the DAG, or has paused it.
        """
        self._wait_for_dag(home, dag_id)
        path = f"/api/v2/dags/{quote(dag_id)}"
        token = self._token(home)
        if self._request("GET", path, token=token)["is_paused"]:
            raise LocalError(
                f"{dag_id} is paused, so that a run would never start; "
                f"unpause it at {self.address}/dags/{quote(dag_id)}"
            )
        body = {"logical_date": None, "conf": dict(conf)}
        try:
            return str(self._request("POST", f"{path}/dagRuns", body, token=token)["dag_run_id"])
        except HTTPError as error:
            raise LocalError(f"the stack refused the run: {_detail(error)}") from None

    def _wait_for_dag(self, home: Home, dag_id: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if not is_stack_up(home):
                raise LocalError("`make up` ended before the run could be started")
            try:
                self._request("GET", f"/api/v2/dags/{quote(dag_id)}", token=self._token(home))
            except (URLError, OSError):
                time.sleep(1)
            else:
                return
        raise LocalError(
            f"the stack at {self.address} did not know the DAG {dag_id} after {_READY_SECONDS} s; "
            f"its import errors are shown at {self.address}"
        )

    def _token(self, home: Home) -> str:
        login = {
            "username": ADMINISTRATOR,
            "password": load_secrets(home).administrator_password,
        }
        return str(self._request("POST", "/auth/token", login)["access_token"])

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
    ) -> dict[str, Any]:
        request = Request(  # noqa: S310, the address is always http://127.0.0.1
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        with _opener.open(request, timeout=_REQUEST_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


def read_stack(home: Home) -> Stack:
    """Return where the stack that is up, or just starts, answers.

    Raises:
        LocalError: It did not say so in time.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and is_stack_up(home):
        if _stack_file(home).exists():
            return Stack(**json.loads(_stack_file(home).read_text(encoding="utf-8")))
        time.sleep(0.2)
    raise LocalError("`make up` has not started its stack; see what it says")


def forget_stack(home: Home) -> None:
    """Remove what `Stack.write` left."""
    _stack_file(home).unlink(missing_ok=True)


def _stack_file(home: Home) -> Path:
    return home.directory / "stack.json"


def _detail(error: HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)
