"""The outcomes of past forecasts, for all assets together and one by one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from roi_forecast.reading.track_record import (
    Tally,
    TrackRecord,
    read_live_skill,
    read_track_record,
)
from roi_web.api.track_record import Period, first_date
from roi_web.charts.outcomes import advantage_chart, calibration_chart, coverage_chart
from roi_web.chosen import ChosenName
from roi_web.database import ReadConnection
from roi_web.explorable.outcomes import explorable_advantage, explorable_coverage
from roi_web.navigation import Tab
from roi_web.rendering import render

TAB = Tab("track-record", "Track record", position=2)

router = APIRouter()

PERIODS: dict[Period, str] = {"3": "3 months", "12": "12 months", "all": "everything"}
ASSETS_SHOWN = 100


@router.get(f"/{TAB.path}")
def show_track_record(
    request: Request,
    connection: ReadConnection,
    chosen: ChosenName,
    period: Period = "3",
    backfills: bool = False,
) -> HTMLResponse:
    """Show the outcomes of the chosen model name's forecasts."""
    record = TrackRecord(None, {}, {}, 0)
    if chosen.name is not None:
        record = read_track_record(
            connection,
            chosen.name.model_name,
            first_date(period, chosen.name.last_as_of_date),
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
        assets=_furthest_behind_zero(record),
        skills=read_live_skill(connection, chosen.name.model_name) if chosen.name else [],
        period=period,
        periods=PERIODS,
        backfills=backfills,
        calibration=calibration_chart(total) if total else None,
        coverage=coverage_chart(record.days) if total else None,
        coverage_data=explorable_coverage(chosen.name.model_name, record.days)
        if chosen.name
        else None,
        advantage=advantage_chart(record.days) if total else None,
        advantage_data=explorable_advantage(chosen.name.model_name, record.days)
        if chosen.name
        else None,
    )


def _furthest_behind_zero(record: TrackRecord) -> list[tuple[str, Tally]]:
    """Return the assets to look at first: those whose errors exceed those of zero the most."""
    ordered = sorted(
        record.assets.items(),
        key=lambda item: item[1].absolute_error_of_zero - item[1].absolute_error,
    )
    return ordered[:ASSETS_SHOWN]
