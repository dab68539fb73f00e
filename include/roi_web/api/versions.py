"""Model versions, their scores, and the gate's rulings."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from roi_forecast.reading.records import (
    GateRuling,
    Promotion,
    Score,
    VersionDetails,
    VersionSummary,
)
from roi_forecast.reading.versions import read_version
from roi_web.api.shapes import RESPONSES, NameQuery, Page, RunQuery, VersionQuery, Word
from roi_web.database import ReadConnection
from roi_web.errors import ErrorMessage

router = APIRouter(tags=["versions"], responses=RESPONSES)


class Version(BaseModel):
    """A version with its scores and the gate's rulings."""

    details: VersionDetails
    scores: list[Score]
    rulings: list[GateRuling]


class StateQuery(NameQuery):
    """Versions in a state."""

    state: Literal["candidate", "champion", "retired", "rejected"] | None = Field(
        None, description="Only versions in this state."
    )


class RulingQuery(VersionQuery, RunQuery):
    """Rulings of the gate."""


@router.get("/versions")
def list_versions(
    connection: ReadConnection, query: Annotated[StateQuery, Query()]
) -> Page[VersionSummary]:
    """List the versions with their test scores and the baselines', newest first."""
    return query.read(connection, VersionSummary)


@router.get(
    "/versions/{version_id}",
    responses={404: {"model": ErrorMessage, "description": "There is no such version."}},
)
def get_version(
    connection: ReadConnection,
    version_id: Annotated[Word, Path(description="Id of the version.")],
) -> Version:
    """Return one version: its origin, all its scores, and the gate's rulings on it."""
    found = read_version(connection, version_id)
    if found is None:
        raise HTTPException(404, f"there is no version {version_id!r}")
    return Version(details=found.details, scores=found.scores, rulings=found.rulings)


@router.get("/gate-decisions")
def list_gate_decisions(
    connection: ReadConnection, query: Annotated[RulingQuery, Query()]
) -> Page[GateRuling]:
    """List each rule's ruling on each candidate, newest first; `verdict` is the decision."""
    return query.read(connection, GateRuling)


@router.get("/promotions")
def list_promotions(
    connection: ReadConnection, query: Annotated[VersionQuery, Query()]
) -> Page[Promotion]:
    """List which version served when, and why, newest first."""
    return query.read(connection, Promotion)
