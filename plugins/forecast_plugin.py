"""What this project adds to Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

from roi_airflow.api_server.links import (
    NAVIGATION_ROUTE,
    URL_PREFIX,
    ForecastPageLink,
    airflow_path,
)
from roi_airflow.api_server.pages import forecast_pages
from roi_airflow.api_server.security_headers import SecurityHeaders
from roi_airflow.deadline import FirstQueued
from roi_airflow.trading_days import TradingDayTimetable

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def limit_requests(app: ASGIApp) -> ASGIApp:
    """Wrap the API server; only its process loads the packages for that."""
    from roi_airflow.api_server.request_limits import RequestLimits

    return RequestLimits(app)


def refuse_runs(app: ASGIApp) -> ASGIApp:
    """Wrap the API server; only its process loads the packages for that."""
    from roi_airflow.api_server.run_refusals import RunRefusals

    return RunRefusals(app)


class ForecastPlugin(AirflowPlugin):
    """Pages, task links, protection of the API server, the schedule and its deadline.

    The last middleware is the outermost: a request that the limits refuse gets the headers too.
    """

    name = "roi_forecast"
    fastapi_apps = [  # noqa: RUF012, as Airflow declares it
        {"app": forecast_pages, "url_prefix": URL_PREFIX, "name": "ROI forecasts"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "ROI forecasts",
            "href": f"{airflow_path()}{URL_PREFIX}/",
            "destination": "nav",
            "url_route": NAVIGATION_ROUTE,
            "nav_top_level": True,
            "icon": f"{airflow_path()}{URL_PREFIX}/static/icon.svg",
        }
    ]
    fastapi_root_middlewares = [  # noqa: RUF012
        {"middleware": refuse_runs, "args": [], "kwargs": {}, "name": "refusals of runs"},
        {"middleware": limit_requests, "args": [], "kwargs": {}, "name": "request limits"},
        {"middleware": SecurityHeaders, "args": [], "kwargs": {}, "name": "security headers"},
    ]
    global_operator_extra_links = [ForecastPageLink()]  # noqa: RUF012
    timetables = [TradingDayTimetable]  # noqa: RUF012
    deadline_references = [FirstQueued]  # noqa: RUF012
