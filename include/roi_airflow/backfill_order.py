"""Backfilled dates in order: the version of a day is there before the next day is forecast."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context

from roi_forecast.errors import RunConflictError

_BACKFILL = "backfill"


def wait_for_earlier_dates() -> None:
    """Let a run of a backfill begin only once none of an earlier date is running any more.

    Airflow starts a backfill's runs oldest first, but several at a time, and whichever of them
    asks first has the model name. Runs that are only queued are not waited for: a backfill that
    was asked for in reverse starts them after this one. Scheduled runs never wait here: their
    forecasts are wanted before the session opens.

    Raises:
        RunConflictError: One is running.
    """
    context = get_current_context()
    run, task_instance = context["dag_run"], context["ti"]
    if run.run_type != _BACKFILL:
        return
    earlier: Any = task_instance.get_previous_dagrun(state="running")
    if earlier is not None:
        raise RunConflictError(
            f"run {earlier.run_id!r} of an earlier date is still going; this one waits for its end"
        )
