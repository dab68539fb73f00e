"""Limits on requests, for everything that the API server answers."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.request_limits import RequestLimits


class RequestLimitsPlugin(AirflowPlugin):
    """Adds the middleware."""

    name = "roi_request_limits"
    fastapi_root_middlewares = [  # noqa: RUF012, Airflow's own declaration
        {"middleware": RequestLimits, "args": [], "kwargs": {}, "name": "request limits"}
    ]
