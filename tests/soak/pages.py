"""The pages of an installation in a process of their own, which lives as long as the soak."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Header, HTTPException

from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings
from roi_web.application import create_application

TOKEN = "Bearer of-the-soak"


def authorize(authorization: str | None = Header(None)) -> None:
    if authorization != TOKEN:
        raise HTTPException(401)


def serve(port: int) -> None:
    settings = Settings.from_environment()
    outer = FastAPI(openapi_url=None)
    pages = create_application(
        create_reader_engine(settings),
        authorize,
        dag_id="daily_roi_forecast",
        models_directory=settings.models_directory,
    )
    outer.mount("/roi", pages)
    uvicorn.run(outer, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
