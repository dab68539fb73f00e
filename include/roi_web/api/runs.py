"""One run: its parameters, the attempts at its stages, and its extractions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from roi_forecast.reading.runs import Extraction, ResolvedRun, Run, StageAttempt, StageState
from roi_web.api.routes import ApiRoute
from roi_web.api.shapes import RESPONSES, Page, RunQuery, SymbolQuery, Word, require_known
from roi_web.database import ReadConnection

router = APIRouter(tags=["runs"], responses=RESPONSES, route_class=ApiRoute)


class RunRecord(BaseModel):
    """A run with its parameters and the attempts at its stages."""

    run: Run
    resolved: ResolvedRun | None = Field(
        description="Its parameters; null if it was refused or has not got so far."
    )
    stages: list[StageAttempt]


class StageQuery(RunQuery):
    """Attempts at stages."""

    stage: Word | None = Field(None, description="Only this stage.")
    state: StageState | None = Field(None, description="Only attempts in this state.")


class ExtractionQuery(SymbolQuery, RunQuery):
    """Extractions."""


@router.get("/runs/{run_id}")
def get_run(
    connection: ReadConnection, run_id: Annotated[Word, Path(description="Airflow's run id.")]
) -> RunRecord:
    """Return one run: its state, all parameters, and every attempt at its stages."""
    require_known(connection, run_id=run_id)
    (run,), _ = Run.read(connection, Run.view.c.run_id == run_id)
    resolved, _ = ResolvedRun.read(connection, ResolvedRun.view.c.run_id == run_id)
    stages = StageAttempt.read_all(connection, StageAttempt.view.c.run_id == run_id)
    return RunRecord(run=run, resolved=resolved[0] if resolved else None, stages=stages)


@router.get("/stages")
def list_stages(
    connection: ReadConnection, query: Annotated[StageQuery, Query()]
) -> Page[StageAttempt]:
    """List every attempt at a stage of a run, oldest first, with its state and the reason."""
    return query.read(connection, StageAttempt)


@router.get("/extractions")
def list_extractions(
    connection: ReadConnection, query: Annotated[ExtractionQuery, Query()]
) -> Page[Extraction]:
    """List what each run requested from its source for each asset, and the result."""
    return query.read(connection, Extraction)
