"""A DAG that is late, or fails, with the callbacks of the daily DAG."""

from __future__ import annotations

import time
from datetime import timedelta

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowFailException

from roi_airflow.deadline import forecast_deadline
from roi_airflow.notification import report_failure
from roi_airflow.tasks.reasons import REASONS

DEADLINE = forecast_deadline({})
assert DEADLINE is not None
DEADLINE.interval = timedelta(seconds=1)


@dag(
    dag_id="late_or_failing",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    params={"fail": Param(default=False, type="boolean")},
    default_args={"retries": 0, **REASONS},
    on_failure_callback=report_failure,
    deadline=DEADLINE,
)
def late_or_failing() -> None:
    @task
    def tolerated(params: dict[str, object] | None = None) -> None:
        raise AirflowFailException("an asset is missing")

    @task(trigger_rule="all_done")
    def work(params: dict[str, object] | None = None) -> None:
        if (params or {})["fail"]:
            raise AirflowFailException("the quorum was missed:\nname other assets")
        time.sleep(15)

    tolerated() >> work()


late_or_failing()
