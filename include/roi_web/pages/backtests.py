"""The backtests of a model name, and one: its predictors' scores over all folds and by fold."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from roi_forecast.backtest.files import backtest_directory
from roi_forecast.data_path import DataPath
from roi_forecast.labels import predictor_label
from roi_forecast.reading.experiments import BacktestFold
from roi_forecast.reading.runs import ResolvedRun, Run, parameters_of
from roi_forecast.registry.plots import Plots, open_plots
from roi_web.api.shapes import Word
from roi_web.chosen import ChosenName, chosen_for
from roi_web.database import ReadConnection
from roi_web.measures import Measure
from roi_web.navigation import Tab
from roi_web.plots import plot_response
from roi_web.rendering import render

TAB = Tab("backtests", "Backtests", position=4)

router = APIRouter()

BACKTEST_DAG = "backtest_roi_forecast"
BACKTESTS_ON_A_PAGE = 20
PREDICTORS = {
    name: predictor_label(name) for name in ("model", "linear", "no_skill", "persistence", "zero")
}
"""By predictor what it is called, in the order of the columns."""


MEASURES = (
    Measure("Next-day R2 against zero", "next_day_r2_against_zero", "r2", bounds=True, t=True),
    Measure("Opening gap, R2 against zero", "gap_r2_against_zero", "r2", bounds=True, t=True),
    Measure(
        "Open to close, R2 against zero", "open_to_close_r2_against_zero", "r2", bounds=True, t=True
    ),
    Measure("Direction right", "directional_accuracy", "share", bounds=True),
    Measure("Rank correlation over assets", "rank_correlation", "r2", t=True),
    Measure("In the 80 % interval", "coverage_80", "share"),
    Measure("In the 95 % interval", "coverage_95", "share"),
    Measure("Interval score 80 %, lower is better", "interval_score_80"),
    Measure("Interval score 95 %, lower is better", "interval_score_95"),
    Measure("Mean absolute error, next day, %", "next_day_mae_pct"),
    Measure("R2 of the smoothed ROI, mostly known a day ahead", "smoothed_r2"),
    Measure("Mean absolute error, smoothed, %", "smoothed_mae_pct"),
)


@router.get(f"/{TAB.path}")
def show_backtests(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """Show the backtests of the chosen model name, those still running or failed among them."""
    history, fold = Run.view.c, BacktestFold.view.c
    runs, following = Run.read(
        connection,
        history.dag_id == BACKTEST_DAG,
        history.model_name == chosen.model_name,
        limit=BACKTESTS_ON_A_PAGE,
        cursor=cursor,
    )
    together = BacktestFold.read_all(
        connection, fold.run_id.in_([run.run_id for run in runs]), fold.fold.is_(None)
    )
    scores: dict[str, dict[str, BacktestFold]] = {}
    for row in together:
        scores.setdefault(row.run_id, {})[row.predictor] = row
    return render(
        request,
        "backtests.html",
        tab=TAB,
        chosen=chosen,
        runs=[(run, _in_order(scores.get(run.run_id, {}))) for run in runs],
        predictors=PREDICTORS,
        following=following,
        newest=cursor is None,
        backtest_dag=BACKTEST_DAG,
    )


@router.get(f"/{TAB.path}/{{run_id}}/plots/{{name}}.png")
def show_backtest_plot(
    request: Request,
    connection: ReadConnection,
    run_id: Annotated[Word, Path()],
    name: Annotated[Word, Path()],
) -> Response:
    """Return the plot of a backtest."""
    known, _ = ResolvedRun.read(connection, ResolvedRun.view.c.run_id == run_id)
    plots = _plots(request, run_id) if known else None
    if plots is None or name not in plots.files:
        raise HTTPException(404, f"backtest {run_id!r} has no plot {name!r}")
    return plot_response(plots, name, run_id)


@router.get(f"/{TAB.path}/{{run_id}}")
def show_backtest(
    request: Request, connection: ReadConnection, run_id: Annotated[Word, Path()]
) -> HTMLResponse:
    """Show one backtest."""
    runs, _ = Run.read(
        connection, Run.view.c.run_id == run_id, Run.view.c.dag_id == BACKTEST_DAG, limit=1
    )
    if not runs:
        raise HTTPException(404, f"there is no backtest {run_id!r}")
    resolved, _ = ResolvedRun.read(connection, ResolvedRun.view.c.run_id == run_id)
    rows = BacktestFold.read_all(connection, BacktestFold.view.c.run_id == run_id)
    together = {row.predictor: row for row in rows if row.fold is None}
    folds: dict[int, dict[str, BacktestFold]] = {}
    for row in rows:
        if row.fold is not None:
            folds.setdefault(row.fold, {})[row.predictor] = row
    plots = _plots(request, run_id)
    return render(
        request,
        "backtest.html",
        tab=TAB,
        chosen=chosen_for(request, connection, runs[0].model_name),
        run=runs[0],
        resolved=resolved[0] if resolved else None,
        parameters=parameters_of(resolved[0]) if resolved else [],
        together=_in_order(together),
        folds=[_in_order(found) for _, found in sorted(folds.items())],
        measures=MEASURES,
        predictors=PREDICTORS,
        plots=list(plots.files) if plots else [],
    )


def _in_order(rows: dict[str, BacktestFold]) -> dict[str, BacktestFold]:
    return {name: rows[name] for name in PREDICTORS if name in rows}


def _plots(request: Request, run_id: str) -> Plots | None:
    backtests_directory: DataPath | None = request.app.state.backtests_directory
    if backtests_directory is None:
        return None
    plots = open_plots(backtest_directory(backtests_directory, run_id))
    # Ids of two runs may share a folder.
    if plots.listing is None or plots.listing.manifest.get("run_id") != run_id:
        return None
    return plots
