"""Forecasts and their outcomes."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from roi_forecast.reading.records import (
    ContextEffect,
    Forecast,
    LatestForecast,
    ModelName,
    Outcome,
    PathForecast,
)
from roi_web.api.shapes import (
    RESPONSES,
    HorizonQuery,
    ListQuery,
    NameQuery,
    Page,
    SymbolQuery,
    VersionQuery,
    Word,
)
from roi_web.database import ReadConnection

router = APIRouter(tags=["forecasts"], responses=RESPONSES)


class ForecastQuery(HorizonQuery, VersionQuery):
    """Published forecasts."""

    as_of_date: date | None = Field(None, description="Only this date (YYYY-MM-DD).")
    target_date: date | None = Field(None, description="Only this date (YYYY-MM-DD).")


class ContextQuery(NameQuery):
    """What the context adds to the forecasts of one asset: of thousands, a page would be slow."""

    symbol: Word = Field(description="The asset, by its Yahoo symbol.")


class OutcomeQuery(HorizonQuery, VersionQuery):
    """Forecasts whose target session is past."""

    since: date | None = Field(
        None, exclude=True, description="Only target dates from this one on."
    )
    until: date | None = Field(None, exclude=True, description="Only target dates up to this one.")
    backfill: bool | None = Field(
        None, description="Only forecasts made after (true) or before their session opened."
    )


@router.get("/model-names")
def list_model_names(
    connection: ReadConnection, query: Annotated[ListQuery, Query()]
) -> Page[ModelName]:
    """List the model names, each with the version that serves and its newest run."""
    return query.read(connection, ModelName)


@router.get("/forecasts/latest")
def list_latest_forecasts(
    connection: ReadConnection, query: Annotated[SymbolQuery, Query()]
) -> Page[LatestForecast]:
    """List each serving champion's forecasts of the next session, by symbol."""
    return query.read(connection, LatestForecast)


@router.get("/forecasts/latest/path")
def list_latest_forecast_paths(
    connection: ReadConnection, query: Annotated[HorizonQuery, Query()]
) -> Page[PathForecast]:
    """List each serving champion's forecasts of all sessions ahead, by symbol and horizon."""
    return query.read(connection, PathForecast)


@router.get("/forecasts/latest/context")
def list_latest_context(
    connection: ReadConnection, query: Annotated[ContextQuery, Query()]
) -> Page[ContextEffect]:
    """List what each context asset adds to the forecasts of an asset's next session."""
    return query.read(connection, ContextEffect)


@router.get("/forecasts")
def list_forecasts(
    connection: ReadConnection, query: Annotated[ForecastQuery, Query()]
) -> Page[Forecast]:
    """List every forecast ever published, newest as-of date first."""
    return query.read(connection, Forecast)


@router.get("/outcomes")
def list_outcomes(
    connection: ReadConnection, query: Annotated[OutcomeQuery, Query()]
) -> Page[Outcome]:
    """List forecasts whose target session is past with the actual ROI, newest first."""
    target_date = Outcome.view.c.target_date
    conditions = []
    if query.since is not None:
        conditions.append(target_date >= query.since)
    if query.until is not None:
        conditions.append(target_date <= query.until)
    return query.read(connection, Outcome, *conditions)
