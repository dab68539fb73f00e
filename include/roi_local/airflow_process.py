"""What a local installation runs inside Airflow's processes, by Airflow's own functions.

python -m roi_local.airflow_process run DAG_ID CONF
python -m roi_local.airflow_process scheduler
python -m roi_local.airflow_process register
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from roi_forecast.settings import POOLS
from roi_local.run_progress.events import EVENTS_VARIABLE, Event, write_event

# What each task imports, except TensorFlow, whose threads do not survive a fork.
_MODULES_OF_TASKS = (
    "airflow.sdk.execution_time.task_runner",
    "roi_airflow.tasks.dataset_tasks",
    "roi_airflow.tasks.forecast_tasks",
    "roi_airflow.tasks.promotion_tasks",
    "roi_forecast.planning.resolve",
    "roi_forecast.market.extraction_batches",
    "roi_forecast.market.checks.price_checks",
    "roi_forecast.features.build",
    "roi_forecast.registry.training_plan",
    "roi_forecast.evaluation.evaluate",
    "roi_forecast.gate.decide",
    "roi_forecast.serving.promotion",
    "roi_forecast.monitoring.monitor",
)

_CONNECTION_SECONDS = 5.0
_SECONDS_BETWEEN_CONNECTIONS = 0.2


def carry_out(dag_id: str, conf: Mapping[str, Any]) -> None:
    """Carry a DAG run out in this process; an error that keeps it from that becomes an event.

    Raises:
        LookupError: No file defines the DAG.
    """
    from airflow.dag_processing.dagbag import DagBag

    try:
        fail_abandoned_runs()
        create_pools(POOLS)
        bag = DagBag()
        if dag_id not in bag.dags:
            tracebacks = (text.strip().splitlines() for text in bag.import_errors.values())
            reasons = [lines[-1] for lines in tracebacks] or ["no file defines it"]
            raise LookupError("; ".join(reasons))
        bag.dags[dag_id].test(run_conf=dict(conf))
    except Exception as error:
        reason = (
            str(error) if isinstance(error, LookupError) else f"{type(error).__name__}: {error}"
        )
        write_event(Path(os.environ[EVENTS_VARIABLE]), Event(run_id=None, error=reason))
        raise


def schedule() -> None:
    """Become Airflow's scheduler, once its tasks find the API server and no killed run is left."""
    from airflow.__main__ import main

    fail_abandoned_runs()
    create_pools(POOLS)
    import_for_tasks()
    wait_for_api_server(os.environ["AIRFLOW__API__HOST"], int(os.environ["AIRFLOW__API__PORT"]))
    # Without -s, its log server would listen on all addresses.
    sys.argv = ["airflow", "scheduler", "-s"]
    main()  # type: ignore[no-untyped-call]


def import_for_tasks() -> None:
    """Import what tasks need: the scheduler forks a process for each, which then starts sooner."""
    for name in _MODULES_OF_TASKS:
        import_module(name)


def register() -> None:
    """Store the DAGs and the pools in Airflow's database, as its processes do when they run."""
    from airflow.__main__ import main

    create_pools(POOLS)
    sys.argv = ["airflow", "dags", "reserialize"]
    main()  # type: ignore[no-untyped-call]


def create_pools(pools: Mapping[str, int]) -> None:
    """Create the pools that are missing; slots that a person has changed stay as they are.

    Args:
        pools: Slots by name of the pool.
    """
    from airflow.models.pool import Pool

    for name in pools.keys() - {pool.pool for pool in Pool.get_pools()}:
        Pool.create_or_update_pool(name, pools[name], description="", include_deferred=False)


def wait_for_api_server(host: str, port: int) -> None:
    """Wait until Airflow's API server takes connections.

    A task that starts earlier gives up after a few seconds and counts as failed. `make up` ends
    this process if the server ends.
    """
    while True:
        try:
            socket.create_connection((host, port), timeout=_CONNECTION_SECONDS).close()
        except OSError:
            time.sleep(_SECONDS_BETWEEN_CONNECTIONS)
        else:
            return


def fail_abandoned_runs() -> None:
    """Mark the unfinished runs of killed `make run` commands as failed.

    Only for a moment in which no `make run` is at work: a scheduler would continue such a run, and
    the next run of the same model name would wait for its end.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, State, TaskInstanceState
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    abandoned = select(DagRun).where(
        DagRun.triggered_by == DagRunTriggeredByType.TEST,
        DagRun.state.in_(State.unfinished_dr_states),
    )
    with create_session() as session:
        for run in session.scalars(abandoned):
            for instance in run.task_instances:
                if instance.state not in State.finished:
                    instance.set_state(TaskInstanceState.FAILED, session=session)
            run.set_state(DagRunState.FAILED)


if __name__ == "__main__":
    if sys.argv[1] == "scheduler":
        schedule()
    elif sys.argv[1] == "register":
        register()
    else:
        carry_out(sys.argv[2], json.loads(sys.argv[3]))
