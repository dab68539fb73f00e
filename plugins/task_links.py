"""Puts a link to the forecast page on the tasks of this project's DAGs."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.api_server.links import ForecastPageLink


class TaskLinksPlugin(AirflowPlugin):
    """A button on every task."""

    name = "roi_task_links"
    global_operator_extra_links = [ForecastPageLink()]  # noqa: RUF012, as Airflow declares it
