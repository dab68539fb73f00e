"""The searches for hyperparameters of a model name, and one: trials, best set, importance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse

from roi_forecast.reading.experiments import TuningStudy, TuningTrial
from roi_forecast.reading.runs import Run, StageAttempt
from roi_web.api.shapes import Word
from roi_web.charts.trials import trial_chart
from roi_web.chosen import ChosenName, chosen_for
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("tuning", "Tuning", position=5)

router = APIRouter()

TUNING_DAG = "tune_roi_forecast"
STUDIES_ON_A_PAGE = 20
_RUNS_SHOWN = 5


@router.get(f"/{TAB.path}")
def show_studies(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """Show the studies of the chosen model name, and its newest runs of a search."""
    studies, following = TuningStudy.read(
        connection,
        TuningStudy.view.c.model_name == chosen.model_name,
        limit=STUDIES_ON_A_PAGE,
        cursor=cursor,
    )
    runs, _ = Run.read(
        connection,
        Run.view.c.dag_id == TUNING_DAG,
        Run.view.c.model_name == chosen.model_name,
        limit=_RUNS_SHOWN,
    )
    return render(
        request,
        "studies.html",
        tab=TAB,
        chosen=chosen,
        studies=studies,
        runs=runs,
        following=following,
        newest=cursor is None,
        tuning_dag=TUNING_DAG,
    )


@router.get(f"/{TAB.path}/{{study}}")
def show_study(
    request: Request, connection: ReadConnection, study: Annotated[Word, Path()]
) -> HTMLResponse:
    """Show one study."""
    found, _ = TuningStudy.read(connection, TuningStudy.view.c.study == study)
    if not found:
        raise HTTPException(404, f"there is no study {study!r}")
    trials = TuningTrial.read_all(connection, TuningTrial.view.c.study == study)
    run_id = found[0].last_run_id
    runs, _ = Run.read(connection, Run.view.c.run_id == run_id)
    attempt = StageAttempt.view.c
    going = StageAttempt.read_all(
        connection,
        attempt.run_id == run_id,
        attempt.stage == "run_trial",
        attempt.state == "running",
    )
    return render(
        request,
        "study.html",
        tab=TAB,
        chosen=chosen_for(request, connection, found[0].model_name),
        study=found[0],
        run=runs[0] if runs else None,
        going=len(going),
        trials=sorted(trials, key=lambda row: (row.rank is None, row.rank, row.trial)),
        chart=trial_chart(trials) if trials else None,
        searched=sorted({name for row in trials for name in row.parameters}),
    )
