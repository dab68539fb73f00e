"""Why a task failed, in one line: kept for the message to people, and last in the task's log."""

from __future__ import annotations

import atexit
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import StatementError

from roi_airflow.tasks.retries import ExponentialBackoff
from roi_forecast.errors import RoiForecastError

if TYPE_CHECKING:
    from airflow.sdk import Context

logger = logging.getLogger(__name__)

FAILURE = "failure"
"""Key of the XCom under which a task that failed leaves its reason."""

_last_words: list[str] = []


def reason_of(error: BaseException | str | None) -> str:
    """Return an error's message in one line; one that nobody worded is headed by its kind.

    Of a statement that failed it is the database's own message: statement and values stay out.
    """
    if isinstance(error, StatementError) and error.orig is not None:
        return reason_of(error.orig)
    words = " ".join(str(error or "").split())
    if error is None:
        return "its process was ended"
    if isinstance(error, (str, RoiForecastError, AirflowException)):
        return words or type(error).__name__
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def reason_to_try_again(error: BaseException | str | None, context: Context) -> str:
    """Return why an attempt failed, which one it was, and when the next one starts."""
    task_instance: Any = context["ti"]
    number = task_instance.try_number
    moment = datetime.now(UTC) + _longest_wait(context["task"], number)
    return (
        f"attempt {number} of {task_instance.max_tries + 1} failed, the next starts at about "
        f"{moment:%H:%M:%S} UTC: {reason_of(error)}"
    )


def keep_reason(context: Context) -> None:
    """Keep why a task failed for `report_failure`, which Airflow calls without that knowledge.

    As `on_failure_callback` of tasks.
    """
    reason = reason_of(context.get("exception"))
    task_instance: Any = context["ti"]
    task_instance.xcom_push(FAILURE, reason)
    _say_last(reason)


def say_reason(context: Context) -> None:
    """Say why an attempt failed that is followed by another; as `on_retry_callback` of tasks."""
    _say_last(reason_to_try_again(context.get("exception"), context))


REASONS = {"on_failure_callback": keep_reason, "on_retry_callback": say_reason}
"""Among the `default_args` of every DAG."""


def _say_last(reason: str) -> None:
    """Log a reason when the process ends: after the callbacks Airflow itself logs a line."""
    if not _last_words:
        atexit.register(_say_last_words)
    _last_words.append(reason)


def _say_last_words() -> None:
    while _last_words:
        logger.error("%s", _last_words.pop(0))


def _longest_wait(task: Any, number: int) -> timedelta:
    policy = getattr(task, "retry_policy", None)
    if isinstance(policy, ExponentialBackoff):
        return policy.longest_wait(number)
    wait: timedelta = task.retry_delay
    return wait
