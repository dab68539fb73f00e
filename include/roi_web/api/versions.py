"""Model versions, their scores, and the gate's rulings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from roi_forecast.quoting import quoted
from roi_forecast.reading.versions import (
    GateRuling,
    Promotion,
    Score,
    VersionDetails,
    VersionSummary,
    read_version,
)
from roi_forecast.registry.compare import compare_versions
from roi_web.api.routes import ApiRoute, FormatQuery
from roi_web.api.shapes import (
    RESPONSES,
    ListQuery,
    NameQuery,
    Page,
    RunQuery,
    VersionQuery,
    Word,
    require_known,
)
from roi_web.database import ReadConnection
from roi_web.http.problems import ProblemError

router = APIRouter(tags=["versions"], responses=RESPONSES, route_class=ApiRoute)


class Version(BaseModel):
    """A version with its scores and the gate's rulings."""

    details: VersionDetails
    scores: list[Score]
    rulings: list[GateRuling]


class Difference(BaseModel):
    """A fact in which two versions differ."""

    section: str = Field(description="version, data, parameters, libraries, training or metrics.")
    name: str
    a: Any = Field(description="Of the first version; null where it has none.")
    b: Any = Field(description="Of the second version; null where it has none.")


class DifferenceQuery(FormatQuery):
    """Two versions."""

    a: Word = Field(description="Id of a version.")
    b: Word = Field(description="Id of another one.")


class StateQuery(NameQuery):
    """Versions in a state."""

    state: Literal["candidate", "champion", "retired", "rejected"] | None = Field(
        None, description="Only versions in this state."
    )


class RulingQuery(VersionQuery, RunQuery):
    """Rulings of the gate."""


class ScoreQuery(ListQuery):
    """Scores of one version: all versions have more than a list is for."""

    version_id: Word = Field(description="The version.")
    symbol: Word | None = Field(None, description="Only this asset; others have all together.")
    predictor: Word | None = Field(None, description="Only this one, such as `model` or `zero`.")
    target: Word | None = Field(None, description="Only this target, such as `next_day_pct`.")
    split: Word | None = Field(None, description="Only these rows, such as `test`.")
    metric: Word | None = Field(None, description="Only this metric, such as `coverage_80`.")
    horizon: int | None = Field(None, ge=1, le=250, description="Only this many sessions ahead.")


@router.get("/versions")
def list_versions(
    connection: ReadConnection, query: Annotated[StateQuery, Query()]
) -> Page[VersionSummary]:
    """List the versions with their test scores and the baselines', newest first."""
    return query.read(connection, VersionSummary)


@router.get("/versions/{version_id}")
def get_version(
    connection: ReadConnection,
    version_id: Annotated[Word, Path(description="Id of the version.")],
) -> Version:
    """Return one version: its origin, its scores over all assets, the gate's rulings on it."""
    found = read_version(connection, version_id)
    if found is None:
        raise ProblemError(
            404,
            f"there is no version {quoted(version_id)}; /api/v1/versions lists them",
            parameter="version_id",
            received=version_id,
        )
    return Version(details=found.details, scores=found.scores, rulings=found.rulings)


@router.get("/scores")
def list_scores(connection: ReadConnection, query: Annotated[ScoreQuery, Query()]) -> Page[Score]:
    """List the newest scores of a version and of the baselines, by target."""
    return query.read(connection, Score)


@router.get("/version-differences")
def list_version_differences(
    connection: ReadConnection, query: Annotated[DifferenceQuery, Query()]
) -> list[Difference]:
    """List what differs between two versions: data, parameters, libraries, training, metrics."""
    for version_id in (query.a, query.b):
        require_known(connection, version_id=version_id)
    return [
        Difference(section=fact.section, name=fact.name, a=fact.first, b=fact.second)
        for fact in compare_versions(connection, query.a, query.b)
        if fact.differs
    ]


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
