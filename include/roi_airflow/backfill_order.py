"""Backfilled dates in order: a day's version exists before the next day is forecast."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context

from roi_forecast.errors import RunConflictError

_BACKFILL = "backfill"


def wait_for_earlier_dates() -> None:
    """Make a backfill run wait while a run of an earlier date is running.

    Airflow starts a backfill's runs oldest first, but several at a time, and any of them may be the
    first to claim the model name. Queued runs do not count: a reversed backfill starts them after
    this one. Scheduled runs never wait here: people need their forecasts before the session opens.

    Raises:
        RunConflictError: A run of an earlier date is running.
    """
    context = get_current_context()
    run, task_instance = context["dag_run"], context["ti"]
    if run.run_type != _BACKFILL:
        return
    earlier: Any = task_instance.get_previous_dagrun(state="running")
    if earlier is not None:
        raise RunConflictError(
            f"run {earlier.run_id!r} of an earlier date is still running; this one waits for it"
        )
