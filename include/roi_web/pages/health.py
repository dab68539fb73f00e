"""The state of the data: last bars, failed extractions and checks, and the runs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import or_

from roi_forecast.reading import views
from roi_forecast.reading.health import read_health
from roi_forecast.reading.listings import ASSET_HEALTH, DRIFT, FAILED_CHECKS, RUNS
from roi_forecast.reading.records import AssetHealth
from roi_web.charts.assets import asset_squares
from roi_web.database import ReadConnection
from roi_web.pages.chosen import ChosenName
from roi_web.rendering import render

router = APIRouter()

_CHECKS_SHOWN = 50
_RUNS_SHOWN = 20


@router.get("/health")
def show_health(request: Request, connection: ReadConnection, chosen: ChosenName) -> HTMLResponse:
    """Show what the newest run of the chosen model name left, and the runs before it."""
    model_name = chosen.name.model_name if chosen.name else None
    run_id = chosen.name.last_run_id if chosen.name else None
    summaries = read_health(connection, model_name) if model_name else []
    assets, _ = ASSET_HEALTH.read(connection, views.asset_health.c.model_name == model_name)
    checks, _ = FAILED_CHECKS.read(
        connection, views.failed_checks.c.run_id == run_id, limit=_CHECKS_SHOWN
    )
    # A run that was refused at its start may have no name, or one that has no page of its own.
    history = views.run_history.c
    shown = or_(history.model_name == model_name, history.as_of_date.is_(None))
    runs, _ = RUNS.read(connection, shown, limit=_RUNS_SHOWN)
    drift, _ = DRIFT.read(connection, views.latest_drift.c.model_name == model_name)
    return render(
        request,
        "health.html",
        tab="health",
        chosen=chosen,
        summary=summaries[0] if summaries else None,
        assets=assets,
        squares=asset_squares(assets),
        notable=[row for row in assets if _is_notable(row)],
        checks=checks,
        runs=runs,
        drift=drift,
        drifting=[row for row in drift if row.drifting],
    )


def _is_notable(row: AssetHealth) -> bool:
    behind = row.last_bar_date is None or row.last_bar_date < row.as_of_date
    return behind or row.extraction_status == "failed" or row.failed_checks > 0
