"""Rows of forecasts and of their outcomes. Columns ending in `_pct` hold percent."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from roi_forecast.database.views import view_columns
from roi_forecast.reading.pagination import Record, row_of


@row_of("forecasts", "-as_of_date", "symbol", "horizon", "version_id")
class Forecast(Record):
    """A forecast of one asset. The ROI runs from the as-of date to the target date."""

    model_name: str
    symbol: str
    name: str | None
    as_of_date: date
    target_date: date
    horizon: int
    predicted_roi_pct: float
    gap_roi_pct: float | None
    open_to_close_roi_pct: float | None
    lower_80_pct: float
    upper_80_pct: float
    lower_95_pct: float
    upper_95_pct: float
    predicted_smoothed_roi_pct: float
    source: str
    simulated: bool
    backfill: bool
    missing_context: list[str]
    version_id: str
    created_at: datetime


@row_of("latest_forecasts", "model_name", "symbol", "horizon")
class LatestForecast(Forecast):
    """A forecast of the serving champion at its newest as-of date, with the version's skill."""

    version_next_day_r2_against_zero: float | None
    version_directional_accuracy: float | None
    member_spread_pct: float | None
    method: str
    published_at: datetime | None


@row_of("outcomes", "-target_date", "symbol", "horizon", "-as_of_date", "version_id")
class Outcome(Record):
    """A forecast whose target session is past, next to the actual ROI."""

    model_name: str
    symbol: str
    as_of_date: date
    target_date: date
    horizon: int
    predicted_roi_pct: float
    gap_roi_pct: float | None
    open_to_close_roi_pct: float | None
    lower_80_pct: float
    upper_80_pct: float
    lower_95_pct: float
    upper_95_pct: float
    realised_roi_pct: float
    realised_gap_pct: float | None
    realised_open_to_close_pct: float | None
    error_pct: float
    direction_hit: bool | None
    inside_80: bool
    inside_95: bool
    filled_target: bool
    source: str
    simulated: bool
    backfill: bool
    missing_context: list[str]
    version_id: str
    created_at: datetime


class ListedForecast(NamedTuple):
    """What searching, sorting and scaling a list of thousands of latest forecasts takes.

    No `Record`, since checking the type of each value takes longer than reading it.
    """

    symbol: str
    name: str | None
    predicted_roi_pct: float
    lower_80_pct: float
    upper_80_pct: float
    lower_95_pct: float
    upper_95_pct: float
    missing_context: list[str]


_listed = view_columns("latest_forecasts", "model_name", "horizon", *ListedForecast._fields).c


def read_listed_forecasts(connection: Connection, model_name: str) -> list[ListedForecast]:
    """Read the newest next-session forecasts of a model name, ordered by symbol."""
    statement = (
        select(*(_listed[name] for name in ListedForecast._fields))
        .where(_listed.model_name == model_name, _listed.horizon == 1)
        .order_by(_listed.symbol)
    )
    return [ListedForecast(*row) for row in connection.execute(statement)]
