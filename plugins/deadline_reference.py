"""Registers the moment that the deadline of forecasts counts from."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.deadline import FirstQueued


class DeadlineReferencePlugin(AirflowPlugin):
    """When a run was queued first."""

    name = "roi_deadline_reference"
    deadline_references = [FirstQueued]  # noqa: RUF012, as Airflow declares it
