"""Forecasts and their outcomes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from roi_forecast.reading import listings, views
from roi_forecast.reading.records import Forecast, LatestForecast, ModelName, Outcome, PathForecast
from roi_web.api.shapes import (
    DEFAULT_LIMIT,
    RESPONSES,
    Cursor,
    DateFilter,
    HorizonFilter,
    Limit,
    ModelNameFilter,
    Page,
    SinceFilter,
    SymbolFilter,
    UntilFilter,
    VersionFilter,
    equals,
)
from roi_web.database import ReadConnection

router = APIRouter(tags=["forecasts"], responses=RESPONSES)


@router.get("/model-names")
def list_model_names(
    connection: ReadConnection, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[ModelName]:
    """List the model names, each with the version that serves and its newest run."""
    items, following = listings.MODEL_NAMES.read(connection, limit=limit, cursor=cursor)
    return Page(items=items, next_cursor=following)


@router.get("/forecasts/latest")
def list_latest_forecasts(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[LatestForecast]:
    """List what each serving champion forecasts for the next session, by symbol."""
    items, following = listings.LATEST_FORECASTS.read(
        connection,
        *equals(views.latest_predictions, model_name=model_name, symbol=symbol),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/forecasts/latest/path")
def list_latest_forecast_paths(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    horizon: HorizonFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[PathForecast]:
    """List what each serving champion forecasts for all sessions ahead, by symbol and horizon."""
    items, following = listings.FORECAST_PATHS.read(
        connection,
        *equals(views.latest_forecast_path, model_name=model_name, symbol=symbol, horizon=horizon),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/forecasts")
def list_forecasts(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    version_id: VersionFilter = None,
    as_of_date: DateFilter = None,
    target_date: DateFilter = None,
    horizon: HorizonFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Forecast]:
    """List every forecast ever published, newest as-of date first."""
    items, following = listings.FORECASTS.read(
        connection,
        *equals(
            views.published_forecasts,
            model_name=model_name,
            symbol=symbol,
            version_id=version_id,
            as_of_date=as_of_date,
            target_date=target_date,
            horizon=horizon,
        ),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/outcomes")
def list_outcomes(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    version_id: VersionFilter = None,
    since: SinceFilter = None,
    until: UntilFilter = None,
    horizon: HorizonFilter = None,
    backfill: Annotated[
        bool | None,
        Query(description="Only forecasts made after (true) or before their session opened."),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Outcome]:
    """List forecasts whose target session is past beside what happened, newest first."""
    outcomes = views.prediction_outcomes
    conditions = equals(
        outcomes,
        model_name=model_name,
        symbol=symbol,
        version_id=version_id,
        horizon=horizon,
        backfill=backfill,
    )
    if since is not None:
        conditions.append(outcomes.c.target_date >= since)
    if until is not None:
        conditions.append(outcomes.c.target_date <= until)
    items, following = listings.OUTCOMES.read(connection, *conditions, limit=limit, cursor=cursor)
    return Page(items=items, next_cursor=following)
