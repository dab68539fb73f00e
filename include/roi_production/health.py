"""Health checks of the containers, cheap enough for every half minute: they import no Airflow.

`python -m roi_production.health api-server|scheduler|dag-processor|triggerer|worker` exits with 0
if the component works, else with 1 and one line that says what is wrong.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any
from urllib.request import ProxyHandler, build_opener

from roi_local.command import run_command
from roi_local.errors import LocalError

_SECONDS = 10

# Names of the components in the report of Airflow's API server.
_REPORTED = {
    "api-server": "metadatabase",
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}
WORKER = "worker"
COMPONENTS = (*_REPORTED, WORKER)

_opener = build_opener(ProxyHandler({}))


def check_component(component: str, environment: Mapping[str, str] = os.environ) -> None:
    """Check one component.

    The API server reports from heartbeats whether any scheduler, DAG processor or triggerer works:
    several of one kind count as one. A worker answers for itself.

    Args:
        component: One of `COMPONENTS`.
        environment: Airflow's settings with the addresses of the API server and the broker.

    Raises:
        LocalError: The component does not work, or is unknown.
    """
    if component == WORKER:
        _check_worker(environment["AIRFLOW__CELERY__BROKER_URL"])
    elif component in _REPORTED:
        _check_report(environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"], component)
    else:
        raise LocalError(f"received {component!r}; allowed are {', '.join(COMPONENTS)}")


def _check_report(execution_api: str, component: str) -> None:
    address = execution_api.removesuffix("/").removesuffix("/execution")
    with _opener.open(f"{address}/api/v2/monitor/health", timeout=_SECONDS) as response:
        health: dict[str, Any] = json.load(response)
    status = health[_REPORTED[component]]["status"]
    if status != "healthy":
        raise LocalError(f"{component} is {status}")


def _check_worker(broker_url: str) -> None:
    from celery import Celery

    name = f"celery@{socket.gethostname()}"
    answer = Celery(broker=broker_url).control.ping(destination=[name], timeout=_SECONDS / 2)
    if not answer:
        raise LocalError(f"{name} does not answer")


def _main() -> None:
    try:
        check_component(sys.argv[1] if len(sys.argv) > 1 else "")
    except (OSError, KeyError, ValueError) as error:
        raise LocalError(f"no answer: {error}") from error


if __name__ == "__main__":
    run_command("health", _main)
