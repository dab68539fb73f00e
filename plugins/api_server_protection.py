"""Limits on requests, and headers and cookies, for everything that the API server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.api_server.security_headers import SecurityHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def limit_requests(app: ASGIApp) -> ASGIApp:
    """Wrap the API server; the packages for that are loaded by no other process of Airflow."""
    from roi_airflow.api_server.request_limits import RequestLimits

    return RequestLimits(app)


class ApiServerProtectionPlugin(AirflowPlugin):
    """Adds the middlewares.

    The last one is the outermost: a request that the limits refuse gets the headers too.
    """

    name = "roi_api_server_protection"
    fastapi_root_middlewares = [  # noqa: RUF012, Airflow's own declaration
        {"middleware": limit_requests, "args": [], "kwargs": {}, "name": "request limits"},
        {"middleware": SecurityHeaders, "args": [], "kwargs": {}, "name": "security headers"},
    ]
