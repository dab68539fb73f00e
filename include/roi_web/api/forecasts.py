"""Forecasts and their outcomes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from roi_forecast.reading.context import ContextEffect, read_context
from roi_forecast.reading.forecasts import Forecast, LatestForecast, Outcome
from roi_forecast.reading.model_names import ModelName
from roi_forecast.written_date import WrittenDate
from roi_web.api.routes import ApiRoute
from roi_web.api.shapes import (
    RESPONSES,
    HorizonQuery,
    ListQuery,
    ModelQuery,
    NameQuery,
    Page,
    PeriodQuery,
    VersionQuery,
    Word,
    require_known,
)
from roi_web.database import ReadConnection

router = APIRouter(tags=["forecasts"], responses=RESPONSES, route_class=ApiRoute)


class OutcomeQuery(HorizonQuery, VersionQuery, PeriodQuery):
    """Forecasts whose target session is past."""

    backfill: bool | None = Field(
        None, description="Only forecasts made after (true) or before their session opened."
    )


class ForecastQuery(OutcomeQuery):
    """Published forecasts."""

    as_of_date: WrittenDate | None = Field(None, description="Only this date (YYYY-MM-DD).")
    target_date: WrittenDate | None = Field(None, description="Only this date (YYYY-MM-DD).")


class ContextQuery(NameQuery):
    """What the context adds to the forecasts of one asset: of thousands, a page would be slow."""

    symbol: Word = Field(description="The asset, by its Yahoo symbol.")


class MeanContextEffect(BaseModel):
    """What a context asset did, and what that adds to the newest forecasts on average."""

    symbol: str = Field(description="the context asset")
    name: str | None
    move_pct: float = Field(description="its ROI between the last two publication times, percent")
    added_pct: float = Field(description="mean over the assets, in percentage points")
    missing: bool = Field(description="true: it lacks a bar that was due")


@router.get("/model-names")
def list_model_names(
    connection: ReadConnection, query: Annotated[ListQuery, Query()]
) -> Page[ModelName]:
    """List the model names, each with the version that serves and its newest run."""
    return query.read(connection, ModelName)


@router.get("/forecasts/latest")
def list_latest_forecasts(
    connection: ReadConnection, query: Annotated[HorizonQuery, Query()]
) -> Page[LatestForecast]:
    """List each serving champion's newest forecasts, by symbol and horizon."""
    return query.read(connection, LatestForecast)


@router.get("/forecasts/latest/context")
def list_latest_context(
    connection: ReadConnection, query: Annotated[ContextQuery, Query()]
) -> Page[ContextEffect]:
    """List what each context asset adds to the forecasts of an asset's next session."""
    return query.read(connection, ContextEffect)


@router.get("/forecasts/latest/context/mean")
def list_mean_context(
    connection: ReadConnection, query: Annotated[ModelQuery, Query()]
) -> list[MeanContextEffect]:
    """List what each context asset adds to the newest forecasts, mean over the assets."""
    require_known(connection, model_name=query.model_name)
    context = read_context(connection, query.model_name)
    return [MeanContextEffect.model_validate(row, from_attributes=True) for row in context]


@router.get("/forecasts")
def list_forecasts(
    connection: ReadConnection, query: Annotated[ForecastQuery, Query()]
) -> Page[Forecast]:
    """List every forecast ever published, newest as-of date first."""
    return query.read(connection, Forecast, *query.in_period(Forecast.view.c.target_date))


@router.get("/outcomes")
def list_outcomes(
    connection: ReadConnection, query: Annotated[OutcomeQuery, Query()]
) -> Page[Outcome]:
    """List forecasts whose target session is past with the actual ROI, newest first."""
    return query.read(connection, Outcome, *query.in_period(Outcome.view.c.target_date))
