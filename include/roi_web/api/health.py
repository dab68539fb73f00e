"""Runs, the state of the prices, and how the champion does since it serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from roi_forecast.reading import listings, views
from roi_forecast.reading.health import HealthSummary, read_health
from roi_forecast.reading.live_skill import read_live_skill
from roi_forecast.reading.records import (
    AssetHealth,
    ChampionCheck,
    Drift,
    FailedCheck,
    LiveSkill,
    Run,
)
from roi_web.api.shapes import (
    DEFAULT_LIMIT,
    RESPONSES,
    Cursor,
    Limit,
    ModelNameFilter,
    Page,
    RunFilter,
    SymbolFilter,
    Word,
    equals,
)
from roi_web.database import ReadConnection

router = APIRouter(tags=["health"], responses=RESPONSES)


@router.get("/health")
def get_health(
    connection: ReadConnection, model_name: ModelNameFilter = None
) -> list[HealthSummary]:
    """Return one summary for each model name: its newest run and the prices that run left."""
    return read_health(connection, model_name)


@router.get("/health/assets")
def list_asset_health(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[AssetHealth]:
    """List the assets of each name's newest run: last bar, extraction, failed checks."""
    items, following = listings.ASSET_HEALTH.read(
        connection,
        *equals(views.asset_health, model_name=model_name, symbol=symbol),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/health/failed-checks")
def list_failed_checks(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    run_id: RunFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[FailedCheck]:
    """List the checks of the prices that failed, newest first."""
    items, following = listings.FAILED_CHECKS.read(
        connection,
        *equals(views.failed_checks, model_name=model_name, symbol=symbol, run_id=run_id),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/runs")
def list_runs(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    run_id: RunFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Run]:
    """List the DAG runs: what each extracted, checked and decided, newest first."""
    items, following = listings.RUNS.read(
        connection,
        *equals(views.run_history, model_name=model_name, run_id=run_id),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/champion-checks")
def list_champion_checks(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[ChampionCheck]:
    """List what the newest check of each champion found: whether its live scores hold."""
    items, following = listings.CHAMPION_CHECKS.read(
        connection,
        *equals(views.champion_status, model_name=model_name),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/drift")
def list_drift(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    symbol: SymbolFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Drift]:
    """List how far the newest returns of each asset lie from those of training."""
    items, following = listings.DRIFT.read(
        connection,
        *equals(views.latest_drift, model_name=model_name, symbol=symbol),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/live-skill")
def get_live_skill(
    connection: ReadConnection,
    model_name: Annotated[Word, Query(description="The model name.")],
) -> list[LiveSkill]:
    """Return how the published forecasts of a model name scored, by horizon."""
    return read_live_skill(connection, model_name)
