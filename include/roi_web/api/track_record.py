"""The outcomes of a model name's forecasts, counted by day and by asset."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from roi_forecast.reading.model_names import ModelName
from roi_forecast.reading.track_record import Tally, TrackRecord, read_track_record
from roi_web.api.routes import ApiRoute
from roi_web.api.shapes import RESPONSES, ModelQuery, require_known
from roi_web.database import ReadConnection

router = APIRouter(
    prefix="/track-record", tags=["track record"], responses=RESPONSES, route_class=ApiRoute
)

Period = Literal["3", "12", "all"]


class TrackRecordQuery(ModelQuery):
    """Forecasts of the next session."""

    period: Period = Field(
        "3", description="Whole months before that of the newest as-of date, or `all`."
    )
    backfills: bool = Field(
        default=False, description="Whether forecasts made after their session opened also count."
    )


class Counts(BaseModel):
    """Counts and mean errors of some forecasts."""

    forecasts: int = Field(description="number of forecasts")
    inside_80: int = Field(description="actual ROIs inside the 80 % interval")
    inside_95: int = Field(description="actual ROIs inside the 95 % interval")
    directions: int = Field(description="forecasts where neither ROI is zero")
    direction_hits: int = Field(description="of these with the correct sign")
    mae_pct: float = Field(description="mean absolute error, in percentage points")
    mae_of_zero_pct: float = Field(
        description="mean absolute error of forecasting zero, in percentage points"
    )


class _OfDay(BaseModel):
    target_date: date


class _OfAsset(BaseModel):
    symbol: str


# The fields of the last base come first.
class DayCounts(Counts, _OfDay):
    """The forecasts of one session."""


class AssetCounts(Counts, _OfAsset):
    """The forecasts of one asset."""


@router.get("/days")
def list_days(
    connection: ReadConnection, query: Annotated[TrackRecordQuery, Query()]
) -> list[DayCounts]:
    """Count the outcomes of each session, oldest first."""
    record = _read(connection, query)
    return [DayCounts(target_date=day, **_counts(tally)) for day, tally in record.days.items()]


@router.get("/assets")
def list_assets(
    connection: ReadConnection, query: Annotated[TrackRecordQuery, Query()]
) -> list[AssetCounts]:
    """Count the outcomes of each asset, by symbol."""
    record = _read(connection, query)
    return [AssetCounts(symbol=symbol, **_counts(tally)) for symbol, tally in record.assets.items()]


def first_date(period: Period, newest: date | None) -> date:
    """Return the first target date of a period: the first day of a month."""
    if period == "all" or newest is None:
        return date.min
    month = 12 * newest.year + newest.month - 1 - int(period)
    return date(month // 12, month % 12 + 1, 1)


def _read(connection: Connection, query: TrackRecordQuery) -> TrackRecord:
    require_known(connection, model_name=query.model_name)
    (name,), _ = ModelName.read(connection, ModelName.view.c.model_name == query.model_name)
    since = first_date(query.period, name.last_as_of_date)
    return read_track_record(connection, query.model_name, since, include_backfills=query.backfills)


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "forecasts": tally.forecasts,
        "inside_80": tally.inside_80,
        "inside_95": tally.inside_95,
        "directions": tally.directions,
        "direction_hits": tally.direction_hits,
        "mae_pct": tally.absolute_error,
        "mae_of_zero_pct": tally.absolute_error_of_zero,
    }
