"""Runs, the state of the prices, and the champion's live scores."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from roi_forecast.reading.health import (
    AssetHealth,
    ChampionCheck,
    Drift,
    FailedCheck,
    HealthSummary,
    read_health,
)
from roi_forecast.reading.runs import Run, RunState
from roi_forecast.reading.track_record import LiveSkill, read_live_skill
from roi_web.api.routes import ApiRoute, FormatQuery
from roi_web.api.shapes import (
    RESPONSES,
    ModelQuery,
    NameQuery,
    Page,
    RunQuery,
    SymbolQuery,
    Word,
    require_known,
)
from roi_web.database import ReadConnection

router = APIRouter(tags=["health"], responses=RESPONSES, route_class=ApiRoute)


class HealthQuery(FormatQuery):
    """A summary of one model name, or of each."""

    model_name: Word | None = Field(None, description="Only this model name.")


class RunHistoryQuery(RunQuery):
    """DAG runs."""

    dag_id: Word | None = Field(None, description="Only runs of this DAG.")
    state: RunState | None = Field(None, description="Only runs in this state.")


class FailedCheckQuery(SymbolQuery, RunQuery):
    """Failed checks of the prices."""


class ChampionCheckQuery(NameQuery):
    """Checks of the champions."""

    newest: bool | None = Field(
        None, description="Only those of each model name's newest checked session (true)."
    )


@router.get("/health")
def get_health(
    connection: ReadConnection, query: Annotated[HealthQuery, Query()]
) -> list[HealthSummary]:
    """Return one summary for each model name: its newest run and the state of its prices."""
    require_known(connection, model_name=query.model_name)
    return read_health(connection, query.model_name)


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
def list_runs(connection: ReadConnection, query: Annotated[RunHistoryQuery, Query()]) -> Page[Run]:
    """List the DAG runs, newest first: what each extracted, checked and decided."""
    return query.read(connection, Run)


@router.get("/champion-checks")
def list_champion_checks(
    connection: ReadConnection, query: Annotated[ChampionCheckQuery, Query()]
) -> Page[ChampionCheck]:
    """List every check of a champion's live scores against a limit, newest first."""
    return query.read(connection, ChampionCheck)


@router.get("/drift")
def list_drift(connection: ReadConnection, query: Annotated[SymbolQuery, Query()]) -> Page[Drift]:
    """List the distance of each asset's newest returns from those of training."""
    return query.read(connection, Drift)


@router.get("/live-skill")
def get_live_skill(
    connection: ReadConnection, query: Annotated[ModelQuery, Query()]
) -> list[LiveSkill]:
    """Return the scores of a model name's published forecasts, by horizon."""
    require_known(connection, model_name=query.model_name)
    return read_live_skill(connection, query.model_name)
