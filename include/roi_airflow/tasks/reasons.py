"""Why a task failed, in one line: for the message to people, and last in the task's log."""

from __future__ import annotations

import atexit
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import StatementError

from roi_airflow.notification import FAILURE
from roi_airflow.tasks.retries import ExponentialBackoff
from roi_forecast.errors import RoiForecastError

if TYPE_CHECKING:
    from airflow.sdk import Context

logger = logging.getLogger(__name__)


def reason_of(error: BaseException | str | None) -> str:
    """Return an error's message in one line, after its type unless it was written for people.

    For a failed statement it is the database's own message, without statement and values.
    """
    if isinstance(error, StatementError) and error.orig is not None:
        return reason_of(error.orig)
    if error is None:
        return "its process was killed"
    message = " ".join(str(error).split())
    if isinstance(error, (str, RoiForecastError, AirflowException)):
        return message or type(error).__name__
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def retry_reason(error: BaseException | str | None, context: Context) -> str:
    """Return which attempt failed, why, and when the next one starts."""
    task_instance: Any = context["ti"]
    number = task_instance.try_number
    moment = datetime.now(UTC) + _longest_wait(context["task"], number)
    return (
        f"attempt {number} of {task_instance.max_tries + 1} failed, the next starts at about "
        f"{moment:%H:%M:%S} UTC: {reason_of(error)}"
    )


def store_reason(context: Context) -> None:
    """Store why a task failed: Airflow calls `report_failure` without the exception."""
    reason = reason_of(context.get("exception"))
    task_instance: Any = context["ti"]
    task_instance.xcom_push(FAILURE, reason)
    _log_at_exit(reason)


def log_retry(context: Context) -> None:
    """Log why an attempt failed that is followed by another."""
    _log_at_exit(retry_reason(context.get("exception"), context))


REASONS = {"on_failure_callback": store_reason, "on_retry_callback": log_retry}
"""Among the `default_args` of every DAG."""


def _log_at_exit(reason: str) -> None:
    """Log a reason when the process ends: Airflow itself logs a line after the callbacks."""
    atexit.register(logger.error, "%s", reason)


def _longest_wait(task: Any, number: int) -> timedelta:
    policy = getattr(task, "retry_policy", None)
    if isinstance(policy, ExponentialBackoff):
        return policy.longest_wait(number)
    wait: timedelta = task.retry_delay
    return wait
