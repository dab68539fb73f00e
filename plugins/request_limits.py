"""Limits on requests, for everything that the API server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def limit_requests(app: ASGIApp) -> ASGIApp:
    """Wrap the API server; the packages for that are loaded by no other process of Airflow."""
    from roi_airflow.request_limits import RequestLimits

    return RequestLimits(app)


class RequestLimitsPlugin(AirflowPlugin):
    """Adds the middleware."""

    name = "roi_request_limits"
    fastapi_root_middlewares = [  # noqa: RUF012, Airflow's own declaration
        {"middleware": limit_requests, "args": [], "kwargs": {}, "name": "request limits"}
    ]
