"""The outcomes of past forecasts, for all assets together and one by one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from roi_forecast.reading.track_record import TrackRecord, read_live_skill, read_track_record
from roi_web.charts.outcomes import advantage_chart, calibration_chart, coverage_chart
from roi_web.chosen import ChosenName
from roi_web.database import ReadConnection
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("track-record", "Track record", position=2)

router = APIRouter()

Period = Literal["90", "365", "all"]
PERIODS: dict[str, str] = {"90": "90 days", "365": "1 year", "all": "everything"}


@router.get(f"/{TAB.path}")
def show_track_record(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    period: Period = "90",
    backfills: bool = False,
) -> HTMLResponse:
    """Show the outcomes of the chosen model name's forecasts."""
    record = TrackRecord(None, {}, {}, 0)
    if chosen.name is not None:
        record = read_track_record(
            connection,
            chosen.name.model_name,
            _since(period, chosen.name.last_as_of_date),
            include_backfills=backfills,
        )
    total = record.total
    return render(
        request,
        "track_record.html",
        tab=TAB,
        chosen=chosen,
        record=record,
        total=total,
        skills=read_live_skill(connection, chosen.name.model_name) if chosen.name else [],
        period=period,
        periods=PERIODS,
        backfills=backfills,
        calibration=calibration_chart(total) if total else None,
        coverage=coverage_chart(record.days) if total else None,
        advantage=advantage_chart(record.days) if total else None,
    )


def _since(period: Period, newest: date | None) -> date:
    if period == "all" or newest is None:
        return date.min
    return newest - timedelta(days=int(period))
