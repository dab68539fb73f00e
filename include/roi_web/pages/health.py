"""The state of the data: last bars, failed extractions and checks, and the runs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import or_

from roi_forecast.market.missing_columns import lines_about, missed
from roi_forecast.reading.health import read_health
from roi_forecast.reading.records import AssetHealth, Drift, FailedCheck, Run
from roi_web.charts.assets import asset_squares, asset_state
from roi_web.chosen import ChosenName
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("health", "Data health", position=4)

router = APIRouter()

_CHECKS_SHOWN = 50
_RUNS_SHOWN = 20


@router.get(f"/{TAB.path}")
def show_health(request: Request, connection: ReadConnection, chosen: ChosenName) -> HTMLResponse:
    """Show the newest run of the chosen model name, its assets, and earlier runs."""
    model_name = chosen.model_name
    run_id = chosen.name.last_run_id if chosen.name else None
    summaries = read_health(connection, model_name) if model_name else []
    assets, _ = AssetHealth.read(connection, AssetHealth.view.c.model_name == model_name)
    checks, _ = FailedCheck.read(
        connection, FailedCheck.view.c.run_id == run_id, limit=_CHECKS_SHOWN
    )
    # A run that was refused at its start may have no name, or one without a page.
    history = Run.view.c
    shown = or_(history.model_name == model_name, history.as_of_date.is_(None))
    runs, _ = Run.read(connection, shown, limit=_RUNS_SHOWN)
    drift, _ = Drift.read(connection, Drift.view.c.model_name == model_name)
    return render(
        request,
        "health.html",
        tab=TAB,
        chosen=chosen,
        summary=summaries[0] if summaries else None,
        assets=assets,
        squares=asset_squares(assets),
        lacking=lines_about(
            {row.symbol: missed(row.missing_columns, context=row.context) for row in assets}
        ),
        notable=[row for row in assets if asset_state(row) != "well"],
        checks=checks,
        runs=runs,
        drift=drift,
        drifting=[row for row in drift if row.drifting],
    )
