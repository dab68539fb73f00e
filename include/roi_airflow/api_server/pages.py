"""The pages and the REST API inside Airflow's API server, behind its login."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from roi_airflow.api_server.links import airflow_path

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

DAILY_DAG = "daily_roi_forecast"
"""Whoever may read this DAG may see its forecasts."""


async def forecast_pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request: an ASGI application that is created for the first one.

    Airflow loads plugins in all its processes, but only the API server needs this one's packages.
    """
    await create_forecast_pages()(scope, receive, send)


@cache
def create_forecast_pages() -> FastAPI:
    """Return the application for the installation that the environment names.

    Raises:
        PreflightError: A required variable is not set, or the URL names another driver.
    """
    from airflow.api_fastapi.core_api.security import requires_access_dag

    from roi_airflow.deadline import deadline_after
    from roi_forecast.reading.engine import create_reader_engine
    from roi_forecast.settings import Settings
    from roi_web.application import USUAL_DEADLINE, create_application

    settings = Settings.from_environment()
    return create_application(
        create_reader_engine(settings),
        # Raises 401 without a login, and 403 for a wrong token or a user without the right.
        requires_access_dag("GET", param_dag_id=DAILY_DAG),
        dag_id=DAILY_DAG,
        airflow_url=airflow_path(),
        models_directory=settings.models_directory,
        backtests_directory=settings.backtests_directory,
        deadline=deadline_after() or USUAL_DEADLINE,
    )
