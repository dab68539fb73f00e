"""Runs, the state of the prices, and the champion's live scores."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from roi_forecast.reading.health import HealthSummary, read_health
from roi_forecast.reading.records import (
    AssetHealth,
    ChampionCheck,
    Drift,
    FailedCheck,
    LiveSkill,
    Run,
)
from roi_forecast.reading.track_record import read_live_skill
from roi_web.api.shapes import (
    RESPONSES,
    ModelNameFilter,
    NameQuery,
    Page,
    RunQuery,
    SymbolQuery,
    Word,
)
from roi_web.database import ReadConnection

router = APIRouter(tags=["health"], responses=RESPONSES)


class FailedCheckQuery(SymbolQuery, RunQuery):
    """Failed checks of the prices."""


@router.get("/health")
def get_health(
    connection: ReadConnection, model_name: ModelNameFilter = None
) -> list[HealthSummary]:
    """Return one summary for each model name: its newest run and the state of its prices."""
    return read_health(connection, model_name)


@router.get("/health/assets")
def list_asset_health(
    connection: ReadConnection, query: Annotated[SymbolQuery, Query()]
) -> Page[AssetHealth]:
    """List the assets of each name's newest run: last bar, extraction, failed checks."""
    return query.read(connection, AssetHealth)


@router.get("/health/failed-checks")
def list_failed_checks(
    connection: ReadConnection, query: Annotated[FailedCheckQuery, Query()]
) -> Page[FailedCheck]:
    """List the failed checks of the prices, newest first."""
    return query.read(connection, FailedCheck)


@router.get("/runs")
def list_runs(connection: ReadConnection, query: Annotated[RunQuery, Query()]) -> Page[Run]:
    """List the DAG runs, newest first: what each extracted, checked and decided."""
    return query.read(connection, Run)


@router.get("/champion-checks")
def list_champion_checks(
    connection: ReadConnection, query: Annotated[NameQuery, Query()]
) -> Page[ChampionCheck]:
    """List the newest check of each champion: whether its live scores hold."""
    return query.read(connection, ChampionCheck)


@router.get("/drift")
def list_drift(connection: ReadConnection, query: Annotated[SymbolQuery, Query()]) -> Page[Drift]:
    """List the distance of each asset's newest returns from those of training."""
    return query.read(connection, Drift)


@router.get("/live-skill")
def get_live_skill(
    connection: ReadConnection,
    model_name: Annotated[Word, Query(description="The model name.")],
) -> list[LiveSkill]:
    """Return the scores of a model name's published forecasts, by horizon."""
    return read_live_skill(connection, model_name)
