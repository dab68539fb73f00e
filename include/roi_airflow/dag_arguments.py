"""The arguments that all DAGs share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.notification import report_failure
from roi_airflow.tasks.reasons import REASONS

DAG_ARGUMENTS: dict[str, Any] = {
    "catchup": False,
    "is_paused_upon_creation": False,
    "default_args": {"retries": 1, "retry_delay": timedelta(seconds=30), **REASONS},
    "on_failure_callback": report_failure,
    "tags": [OWN_TAG],
}
