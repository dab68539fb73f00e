"""The runs of all DAGs, and one run: what it did, how long it took, and why it failed."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, select

from roi_forecast.reading.health import FailedCheck
from roi_forecast.reading.runs import (
    Extraction,
    ResolvedRun,
    Run,
    StageAttempt,
    parameters_of,
    read_promotions_by,
    read_stored_forecasts,
)
from roi_forecast.reading.versions import GateRuling, VersionDetails
from roi_web.api.shapes import Word
from roi_web.charts.stages import stage_timeline
from roi_web.chosen import ChosenName, chosen_for
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("runs", "Runs", position=6)

router = APIRouter()

RUNS_ON_A_PAGE = 30
_CHECKS_SHOWN = 50
_EXTRACTIONS_SHOWN = 100
_WELL = ("succeeded", "skipped")

WantedState = Literal["", "done", "failed", "running", "waiting"]
STATES: dict[WantedState, str] = {
    "": "every state",
    "done": "done",
    "failed": "failed",
    "running": "running",
    "waiting": "waiting",
}


@router.get(f"/{TAB.path}")
def show_runs(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    state: WantedState = "",
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """Show the runs of the chosen model name, newest first."""
    conditions = [chosen.has_run]
    if state:
        conditions.append(Run.view.c.state == state)
    runs, following = Run.read(connection, *conditions, limit=RUNS_ON_A_PAGE, cursor=cursor)
    return render(
        request,
        "runs.html",
        tab=TAB,
        chosen=chosen,
        runs=runs,
        state=state,
        states=STATES,
        following=following,
        newest=cursor is None,
    )


@router.get(f"/{TAB.path}/{{run_id}}")
def show_run(
    request: Request,
    connection: ReadConnection,
    run_id: Annotated[Word, Path()],
    dag_id: Annotated[Word | None, Query()] = None,
) -> HTMLResponse:
    """Show one run; of a DAG whose runs are not recorded, what is known.

    Args:
        request: The request.
        connection: As `roi_reader`.
        run_id: The run.
        dag_id: Its DAG; without it, a run of which nothing is known is an error.
    """
    runs, _ = Run.read(connection, Run.view.c.run_id == run_id)
    run = runs[0] if runs else None
    promotions = read_promotions_by(connection, run_id)
    if run is None and not promotions and dag_id is None:
        raise HTTPException(404, f"there is no run {run_id!r}")
    name = run.model_name if run else promotions[0].model_name if promotions else None
    resolved, _ = ResolvedRun.read(connection, ResolvedRun.view.c.run_id == run_id)
    attempts = StageAttempt.read_all(connection, StageAttempt.view.c.run_id == run_id)
    extraction = Extraction.view.c
    failed, _ = Extraction.read(
        connection,
        extraction.run_id == run_id,
        extraction.status == "failed",
        limit=_EXTRACTIONS_SHOWN,
    )
    extracted, _ = Extraction.read(
        connection,
        extraction.run_id == run_id,
        extraction.status == "ok",
        limit=_EXTRACTIONS_SHOWN,
    )
    checks, _ = FailedCheck.read(
        connection, FailedCheck.view.c.run_id == run_id, limit=_CHECKS_SHOWN
    )
    rulings = GateRuling.read_all(connection, GateRuling.view.c.run_id == run_id)
    parameters = parameters_of(resolved[0]) if resolved else []
    return render(
        request,
        "run.html",
        tab=TAB,
        chosen=chosen_for(request, connection, name),
        run_id=run_id,
        run=run,
        dag=run.dag_id if run else dag_id,
        resolved=resolved[0] if resolved else None,
        attempts=sorted(attempts, key=lambda row: (row.state in _WELL, row.attempt_id)),
        timeline=stage_timeline(attempts, request.app.state.clock()) if attempts else None,
        failed=failed,
        extractions=[*failed, *extracted][:_EXTRACTIONS_SHOWN],
        checks=checks,
        rulings=sorted(rulings, key=lambda row: (not row.is_verdict, row.passed, row.rule)),
        trained=_read_trained(connection, run_id),
        forecasts=read_stored_forecasts(connection, run_id),
        promotions=promotions,
        changed=[each for each in parameters if each.differs],
        usual=[each for each in parameters if not each.differs],
    )


def _read_trained(connection: Connection, run_id: str) -> list[VersionDetails]:
    view = VersionDetails.view
    rows = connection.execute(select(view).where(view.c.run_id == run_id)).mappings()
    return [VersionDetails.model_validate(dict(row)) for row in rows]
