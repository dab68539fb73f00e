"""Model versions, their scores, and what the gate said of them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel

from roi_forecast.reading import listings, views
from roi_forecast.reading.records import (
    GateRuling,
    Promotion,
    Score,
    VersionDetails,
    VersionSummary,
)
from roi_forecast.reading.version import read_version
from roi_web.api.shapes import (
    DEFAULT_LIMIT,
    RESPONSES,
    Cursor,
    Limit,
    ModelNameFilter,
    Page,
    RunFilter,
    VersionFilter,
    Word,
    equals,
)
from roi_web.database import ReadConnection
from roi_web.errors import ErrorMessage

router = APIRouter(tags=["versions"], responses=RESPONSES)


class Version(BaseModel):
    """A version with its scores and the gate's rulings."""

    details: VersionDetails
    scores: list[Score]
    rulings: list[GateRuling]


@router.get("/versions")
def list_versions(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    state: Annotated[
        Literal["candidate", "champion", "retired", "rejected"] | None,
        Query(description="Only versions in this state."),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[VersionSummary]:
    """List the versions with their test scores beside the baselines', newest first."""
    items, following = listings.VERSIONS.read(
        connection,
        *equals(views.model_leaderboard, model_name=model_name, state=state),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get(
    "/versions/{version_id}",
    responses={404: {"model": ErrorMessage, "description": "There is no such version."}},
)
def get_version(
    connection: ReadConnection,
    version_id: Annotated[Word, Path(description="Id of the version.")],
) -> Version:
    """Return one version: how it came about, all its scores, and the gate's rulings on it."""
    found = read_version(connection, version_id)
    if found is None:
        raise HTTPException(404, f"there is no version {version_id!r}")
    return Version(details=found.details, scores=found.scores, rulings=found.rulings)


@router.get("/gate-decisions")
def list_gate_decisions(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    version_id: VersionFilter = None,
    run_id: RunFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[GateRuling]:
    """List what each rule said of each candidate, newest first; `verdict` is the decision."""
    items, following = listings.GATE_RULINGS.read(
        connection,
        *equals(views.gate_rulings, model_name=model_name, version_id=version_id, run_id=run_id),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)


@router.get("/promotions")
def list_promotions(
    connection: ReadConnection,
    model_name: ModelNameFilter = None,
    version_id: VersionFilter = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Promotion]:
    """List which version served when, and why, newest first."""
    items, following = listings.PROMOTIONS.read(
        connection,
        *equals(views.champion_history, model_name=model_name, version_id=version_id),
        limit=limit,
        cursor=cursor,
    )
    return Page(items=items, next_cursor=following)
