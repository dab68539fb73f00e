"""The state of the data: last bars, failed extractions and checks, and the runs."""

from __future__ import annotations

from itertools import takewhile

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from roi_forecast.market.missing_columns import lines_about, missed
from roi_forecast.reading.health import FailedCheck, read_asset_states, read_drift
from roi_forecast.reading.runs import Run
from roi_web.charts.assets import asset_is_up_to_date, asset_squares, asset_state
from roi_web.chosen import ChosenName
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("health", "Data health", position=7)

router = APIRouter()

_ROWS_SHOWN = 100
_SQUARES_SHOWN = 500
_CHECKS_SHOWN = 50
_RUNS_SHOWN = 10


@router.get(f"/{TAB.path}")
def show_health(request: Request, connection: ReadConnection, chosen: ChosenName) -> HTMLResponse:
    """Show the newest run of the chosen model name, its assets, and earlier runs."""
    model_name = chosen.model_name
    run_id = chosen.name.last_run_id if chosen.name else None
    newest, _ = Run.read(connection, Run.view.c.run_id == run_id)
    assets = read_asset_states(connection, model_name) if model_name else []
    own = [row for row in assets if not row.context]
    last_bars = [row.last_bar_date for row in own if row.last_bar_date is not None]
    # Those to look at first, each part in the order of the symbols.
    ordered = sorted(assets, key=lambda row: asset_state(row) == "well")
    notable = list(takewhile(lambda row: asset_state(row) != "well", ordered))
    drawn = ordered[:_SQUARES_SHOWN]
    checks, _ = FailedCheck.read(
        connection, FailedCheck.view.c.run_id == run_id, limit=_CHECKS_SHOWN
    )
    runs, _ = Run.read(connection, chosen.has_run, limit=_RUNS_SHOWN)
    return render(
        request,
        "health.html",
        tab=TAB,
        chosen=chosen,
        run=newest[0] if newest else None,
        assets=assets,
        own=len(own),
        up_to_date=sum(asset_is_up_to_date(row) for row in own),
        oldest_last_bar=min(last_bars, default=None),
        squares=asset_squares(drawn),
        drawn=len(drawn),
        lacking=lines_about(
            {row.symbol: missed(row.missing_columns, context=row.context) for row in assets}
        ),
        notable=notable,
        checks=checks,
        checked_run=run_id,
        runs=runs,
        drift=read_drift(connection, model_name, _ROWS_SHOWN) if model_name else None,
        shown=_ROWS_SHOWN,
    )
