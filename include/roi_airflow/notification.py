"""Messages to people about runs with problems, through a notifier of their choice.

The variable `ROI_NOTIFIER` names the class of a notifier, such as
`airflow.providers.slack.notifications.slack.SlackNotifier`, and `ROI_NOTIFIER_ARGUMENTS` holds its
arguments as JSON; the message replaces `{{ message }}` in them. Without one, messages are logged.
"""

from __future__ import annotations

import json
import logging
import os
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import DAG, BaseNotifier

from roi_airflow.api_server.links import airflow_address
from roi_forecast.errors import PreflightError

if TYPE_CHECKING:
    from airflow.sdk import Context

logger = logging.getLogger(__name__)

FAILURE = "failure"
"""Key of the XCom under which a failed task stores its reason."""

NOTIFIER_VARIABLE = "ROI_NOTIFIER"
NOTIFIER_ARGUMENTS_VARIABLE = "ROI_NOTIFIER_ARGUMENTS"


class LogNotifier(BaseNotifier):
    """Writes the message into the log."""

    def notify(self, context: Context) -> None:
        """Write the message in the context."""
        logger.error("%s", context["message"])  # type: ignore[typeddict-item]


def notify(context: Mapping[str, Any], message: str) -> None:
    """Send one line through the notifier of this installation.

    Args:
        context: The callback's context; templates of the notifier may use it.
        message: The line; templates may use it as `message`.

    Raises:
        PreflightError: The notifier's class or its arguments cannot be used.
    """
    given: Any = {**context, "message": message}
    create_notifier(os.environ)(given)


def create_notifier(environment: Mapping[str, str]) -> BaseNotifier:
    """Return the notifier that the environment names, or one that logs.

    Raises:
        PreflightError: The class does not exist, or the arguments do not fit it.
    """
    path = environment.get(NOTIFIER_VARIABLE, "")
    if not path:
        return LogNotifier()
    text = environment.get(NOTIFIER_ARGUMENTS_VARIABLE) or "{}"
    try:
        arguments = json.loads(text)
        notifier: BaseNotifier = pkgutil.resolve_name(path)(**arguments)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise PreflightError(
            f"{NOTIFIER_VARIABLE}: received {path!r} with {NOTIFIER_ARGUMENTS_VARIABLE} {text!r}, "
            f"which gives no notifier ({error}); name a class such as "
            "airflow.providers.smtp.notifications.smtp.SmtpNotifier and its arguments as JSON"
        ) from error
    return notifier


def report_failure(context: Context) -> None:
    """Report in one line which task failed a run, why, and the address of its log.

    As `on_failure_callback` of a DAG: one message a run, however many of its tasks failed.
    """
    task_instance: Any = context.get("ti")
    dag: Any = context["dag"]
    run_id = context["run_id"]
    if not isinstance(dag, DAG):
        # `airflow dags test` passes the serialized form, without the process that answers the
        # requests below. Whoever started it sees the failure.
        logger.info("run %s failed; its command shows why", run_id)
        return
    reasons: dict[str, Any] = {}
    if task_instance is not None:
        # In topological order, so that the last failure is the one that failed the run.
        for task in dag.topological_sort():  # type: ignore[no-untyped-call]
            found = task_instance.xcom_pull(task_ids=[task.task_id], key=FAILURE)
            lines = [line for line in found or [] if line]
            if lines:
                reasons[task.task_id] = lines
    if reasons:
        task_id, lines = list(reasons.items())[-1]
        more = f" (and {len(lines) - 1} more of its instances)" if len(lines) > 1 else ""
        what = f"{task_id} failed: {lines[0]}{more}"
    else:
        what = f"no reason was stored ({context.get('reason') or 'its process was killed'})"
    notify(context, f"{dag.dag_id}, run {run_id}: {what}; log: {run_address(dag.dag_id, run_id)}")


def run_address(dag_id: str, run_id: str) -> str:
    """Return the address of a run in Airflow's UI."""
    return f"{airflow_address()}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
