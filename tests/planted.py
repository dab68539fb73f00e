"""Market databases with planted rows, and the pages and the API on them behind a login of tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from databases import new_name
from roi_forecast.data_path import DataPath
from roi_forecast.database.engine import create_database_engine
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings
from roi_local.postgres.server import EmbeddedPostgres
from roi_web.application import create_application

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from planted_market import LAST_DATE, plant_market

NOW = datetime.combine(LAST_DATE, time(23, 30), UTC)
TOKEN = {"Authorization": "Bearer of-the-test"}
DAG_ID = "daily_roi_forecast"


def authorize(authorization: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
    """Stand in Airflow's place where Airflow is not what is tested."""
    if authorization != TOKEN["Authorization"]:
        raise HTTPException(401, "Not authenticated")


@dataclass(frozen=True)
class Planted:
    """A market database with planted rows.

    Attributes:
        engine: As its owner.
        reader: As `roi_reader`.
    """

    engine: Engine
    reader: Engine

    def application(self, models_directory: DataPath | None = None, **options: Any) -> FastAPI:
        """Return an application below /roi, as Airflow mounts it, on the day of the last rows."""
        outer = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        pages = create_application(
            self.reader,
            authorize,
            dag_id=DAG_ID,
            models_directory=models_directory,
            **{"clock": lambda: NOW, **options},
        )
        outer.mount("/roi", pages)
        return outer

    def client(self, models_directory: DataPath | None = None, **options: Any) -> TestClient:
        """Return a client of the application that is logged in."""
        return TestClient(
            self.application(models_directory=models_directory, **options),
            "http://test/roi",
            headers=TOKEN,
            raise_server_exceptions=False,
        )


@contextmanager
def planted_market(
    postgres: EmbeddedPostgres, template: str, *markets: dict[str, object]
) -> Iterator[Planted]:
    """Give a fresh database with each of the markets planted; none leaves it empty."""
    name = new_name("planted")
    postgres.create_database(name, template=template)
    settings = Settings(postgres.url(name), Path("unused"))
    engine, reader = create_database_engine(settings.database_url), create_reader_engine(settings)
    for market in markets:
        plant_market(engine, **market)
    try:
        yield Planted(engine, reader)
    finally:
        engine.dispose()
        reader.dispose()
        postgres.drop_database(name)
