"""The pages and the REST API inside Airflow's API server, behind its login."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.configuration import conf

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

URL_PREFIX = "/roi"
DAILY_DAG = "daily_roi_forecast"


def airflow_path() -> str:
    """Return the path below which Airflow is served, without a slash at its end."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


class ForecastPages:
    """An ASGI application that is made when the first request arrives.

    Airflow loads plugins in all its processes, but only the API server needs this one's packages.
    """

    def __init__(self) -> None:
        self._application: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._application is None:
            self._application = create_forecast_pages()
        await self._application(scope, receive, send)


def create_forecast_pages() -> FastAPI:
    """Return the application for the installation that the environment names.

    Raises:
        PreflightError: A required variable is not set, or the URL names another driver.
    """
    from roi_airflow.api_server.authorization import authorize
    from roi_forecast.reading.engine import create_reader_engine
    from roi_forecast.settings import Settings
    from roi_web.application import create_application

    settings = Settings.from_environment()
    return create_application(
        create_reader_engine(settings),
        authorize,
        dag_id=DAILY_DAG,
        airflow_url=airflow_path(),
        models_directory=settings.models_directory,
    )
