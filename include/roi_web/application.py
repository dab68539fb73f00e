"""The FastAPI application: pages, API and static files, with their middleware."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import Engine
from starlette.staticfiles import StaticFiles

from roi_forecast.data_path import DataPath
from roi_forecast.reading.engine import CONNECTIONS
from roi_web import api, pages
from roi_web.admission import Admission
from roi_web.api.routes import JSON
from roi_web.errors import add_error_handlers
from roi_web.headers import SecurityHeaders
from roi_web.http.methods import HeadRequests
from roi_web.http.problems import MEDIA_TYPE as PROBLEM
from roi_web.rendering import STATIC_DIRECTORY

TITLE = "ROI Forecast"
USUAL_DEADLINE = timedelta(hours=2)
DESCRIPTION = """
Forecasts, their outcomes, model versions and the state of the data, read-only.

Every request needs Airflow's login: a token from `POST /auth/token` as `Authorization: Bearer …`,
or the session's cookie; the user needs the right to read the DAG. Values whose name ends in `_pct`
are percentages. A list has pages: pass `next_cursor` as `cursor` to get the next one; as CSV it
has all rows. Every error is a problem as of RFC 9457, with one sentence in `detail`.
A forecast of the next day has almost no skill; read its interval.
"""


class _Application(FastAPI):
    """FastAPI, with a description that names the media type of errors and the way to log in."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        if self.openapi_schema is None:
            description = super().openapi()
            for methods in description["paths"].values():
                for operation in methods.values():
                    operation["security"] = [{"token": []}, {"cookie": []}]
                    for status, response in operation["responses"].items():
                        if status >= "400":
                            response["content"] = {PROBLEM: response["content"].pop(JSON)}
            description["components"]["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "_token"},
            }
            self.openapi_schema = description
        return self.openapi_schema


def create_application(
    engine: Engine,
    authorize: Callable[..., object],
    *,
    dag_id: str,
    airflow_url: str = "",
    models_directory: DataPath | None = None,
    backtests_directory: DataPath | None = None,
    deadline: timedelta = USUAL_DEADLINE,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """Return the application.

    Args:
        engine: Connects as `roi_reader`.
        authorize: A FastAPI dependency that raises 401 or 403 to refuse a request.
        dag_id: The DAG whose runs the pages link to.
        airflow_url: Path of Airflow's own pages, without a slash at its end.
        models_directory: Folder of the registry, for the plots of versions; None shows none.
        backtests_directory: Folder of the backtests, for their plots; None shows none.
        deadline: How long after they are due forecasts may be missing before pages say so.
        clock: Returns the present, with time zone.
    """
    app = _Application(
        title=TITLE,
        description=DESCRIPTION,
        version="1",
        servers=[{"url": "/roi"}],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect would be sent without a login.
        redirect_slashes=False,
    )
    app.state.engine = engine
    app.state.dag_id = dag_id
    app.state.airflow_url = airflow_url
    app.state.models_directory = models_directory
    app.state.backtests_directory = backtests_directory
    app.state.deadline = deadline
    app.state.clock = clock
    app.state.tabs = pages.TABS
    app.add_middleware(Admission, places=CONNECTIONS)
    app.add_middleware(HeadRequests)
    app.add_middleware(SecurityHeaders)
    add_error_handlers(app)
    protected = APIRouter(dependencies=[Depends(authorize)])
    protected.include_router(api.router)
    protected.include_router(pages.router)

    @protected.get("/openapi.json", include_in_schema=False)
    def show_openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    app.include_router(protected)
    app.mount("/static", StaticFiles(directory=STATIC_DIRECTORY), name="static")
    return app
