"""What a local installation runs inside Airflow's processes, by Airflow's own functions.

python -m roi_local.airflow_process run DAG_ID CONF
python -m roi_local.airflow_process scheduler
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roi_forecast.settings import POOLS
from roi_local.run_progress.events import EVENTS_VARIABLE, Event, write_event


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
    """Become Airflow's scheduler, once nothing is left that it would take for its own."""
    from airflow.__main__ import main

    fail_abandoned_runs()
    create_pools(POOLS)
    # Without -s, its log server would listen on all addresses.
    sys.argv = ["airflow", "scheduler", "-s"]
    main()  # type: ignore[no-untyped-call]


def create_pools(pools: Mapping[str, int]) -> None:
    """Create the pools that are missing; slots that a person has changed stay as they are.

    Args:
        pools: Slots by name of the pool.
    """
    from airflow.models.pool import Pool

    for name in pools.keys() - {pool.pool for pool in Pool.get_pools()}:
        Pool.create_or_update_pool(name, pools[name], description="", include_deferred=False)


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
    else:
        carry_out(sys.argv[2], json.loads(sys.argv[3]))
