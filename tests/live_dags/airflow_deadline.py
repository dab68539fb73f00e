"""A DAG that fails while the deadline is open that Airflow itself brings."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowFailException

from roi_airflow.deadline import report_late_forecasts


@dag(
    dag_id="airflow_deadline",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=1),
        callback=SyncCallback(report_late_forecasts),
    ),
)
def airflow_deadline() -> None:
    @task
    def fail() -> None:
        raise AirflowFailException("as asked")

    fail()


airflow_deadline()
