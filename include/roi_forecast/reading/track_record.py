"""The outcomes of past forecasts: by target date, by asset, all together, and scored by horizon.

Tallies count only forecasts of the next session, and only if the asset had a bar on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

from sqlalchemy import Connection, func, select

from roi_forecast.database.views import view_columns
from roi_forecast.reading.pagination import Record, row_of


@row_of("live_skill")
class LiveSkill(Record):
    """Scores of published forecasts, with 95 % bounds if there are enough sessions."""

    model_name: str
    scope: str
    version_id: str | None
    split: str
    horizon: int
    newest_sessions: int | None
    first_target_date: date
    last_target_date: date
    sessions: int | None
    rows: int
    mae_pct: float | None
    mae_of_zero_pct: float | None
    r2_against_zero: float | None
    r2_against_zero_lower_95: float | None
    r2_against_zero_upper_95: float | None
    coverage_80: float | None
    coverage_95: float | None
    directional_accuracy: float | None
    gap_r2_against_zero: float | None
    gap_r2_against_zero_lower_95: float | None
    gap_r2_against_zero_upper_95: float | None
    open_to_close_r2_against_zero: float | None
    open_to_close_r2_against_zero_lower_95: float | None
    open_to_close_r2_against_zero_upper_95: float | None
    missing_context: int | None
    simulated: bool


@dataclass(frozen=True)
class Tally:
    """Counts and sums of errors of some forecasts, which add up.

    Attributes:
        forecasts: Number of forecasts.
        inside_80: Number of actual ROIs inside the 80 % interval.
        inside_95: Number of actual ROIs inside the 95 % interval.
        directions: Number of forecasts where neither ROI is zero.
        direction_hits: Number of these with the correct sign.
        sum_of_errors_pct: Sum of the absolute errors, percentage points.
        sum_of_errors_of_zero_pct: Likewise of forecasting zero.
    """

    forecasts: int = 0
    inside_80: int = 0
    inside_95: int = 0
    directions: int = 0
    direction_hits: int = 0
    sum_of_errors_pct: float = 0.0
    sum_of_errors_of_zero_pct: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of the forecasts of both."""
        return Tally(*(getattr(self, name) + getattr(other, name) for name in _SUMS))

    @property
    def absolute_error(self) -> float:
        """Mean absolute error of at least one forecast, percentage points."""
        return self.sum_of_errors_pct / self.forecasts

    @property
    def absolute_error_of_zero(self) -> float:
        """Mean absolute error of forecasting zero, percentage points."""
        return self.sum_of_errors_of_zero_pct / self.forecasts


_SUMS = tuple(field.name for field in fields(Tally))
_days = view_columns("track_record_days", "model_name", "target_date", "backfill", *_SUMS)
_months = view_columns("track_record_months", "model_name", "symbol", "month", "backfill", *_SUMS)


@dataclass(frozen=True)
class TrackRecord:
    """The forecasts of one model name since a date.

    Attributes:
        total: All together, or None if none has an outcome yet.
        days: By target date, oldest first.
        assets: By symbol.
        backfills: Number of forecasts left out because they were made after their session opened.
    """

    total: Tally | None
    days: dict[date, Tally]
    assets: dict[str, Tally]
    backfills: int


def read_track_record(
    connection: Connection, model_name: str, since: date, *, include_backfills: bool = False
) -> TrackRecord:
    """Tally the outcomes of a model name's forecasts.

    Args:
        connection: As `roi_reader`.
        model_name: The model name.
        since: First target date that counts, the first day of a month: assets are summed by month.
        include_backfills: Whether forecasts made after their session opened also count.

    Raises:
        ValueError: `since` is not the first day of a month.
    """
    if since.day != 1:
        raise ValueError(f"since: received {since}; it has to be the first day of a month")
    day, month = _days.c, _months.c
    days: dict[date, Tally] = {}
    backfills = 0
    # A day has a row for each source, and one more for its backfills.
    for row in connection.execute(
        select(_days)
        .where(day.model_name == model_name, day.target_date >= since)
        .order_by(day.target_date)
    ):
        if row.backfill and not include_backfills:
            backfills += row.forecasts
        else:
            tally = Tally(*(getattr(row, name) for name in _SUMS))
            days[row.target_date] = days.get(row.target_date, Tally()) + tally
    of_assets = connection.execute(
        select(month.symbol, *(func.sum(month[name]) for name in _SUMS))
        .where(
            month.model_name == model_name,
            month.month >= since,
            *([] if include_backfills else [~month.backfill]),
        )
        .group_by(month.symbol)
        .order_by(month.symbol)
    )
    return TrackRecord(
        total=sum(days.values(), Tally()) if days else None,
        days=days,
        assets={symbol: Tally(*sums) for symbol, *sums in of_assets},
        backfills=backfills,
    )


def read_live_skill(connection: Connection, model_name: str) -> list[LiveSkill]:
    """Read the scores of a model name: live before backfills, by horizon, all sessions first."""
    score = LiveSkill.view.c
    rows = connection.execute(
        select(LiveSkill.view)
        .where(score.model_name == model_name, score.scope == "model_name")
        .order_by(score.split.desc(), score.horizon, score.newest_sessions.desc().nulls_first())
    )
    return [LiveSkill.model_validate(dict(row)) for row in rows.mappings()]


def newest_skill(skills: Sequence[LiveSkill]) -> LiveSkill | None:
    """Return the live scores of the newest sessions' next-session forecasts, if there are any."""
    return next(
        (
            row
            for row in skills
            if (row.split, row.horizon) == ("live", 1) and row.newest_sessions is not None
        ),
        None,
    )
