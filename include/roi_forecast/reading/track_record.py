"""How past forecasts turned out: by target date, by asset, and all together.

Only forecasts of the next session count, and only where the asset had a bar on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, func, select, tuple_

from roi_forecast.reading.views import published_forecasts, realised_forecasts


@dataclass(frozen=True)
class Tally:
    """Counts and mean errors of some forecasts.

    Attributes:
        forecasts: How many.
        inside_80: How many realised ROIs lay within the 80 % interval.
        inside_95: The same for 95 %.
        directions: Forecasts of which the direction can be judged.
        direction_hits: Of these, how many had it right.
        absolute_error: Mean absolute error, percentage points.
        absolute_error_of_zero: That of forecasting zero for each: the mean absolute realised ROI.
    """

    forecasts: int
    inside_80: int
    inside_95: int
    directions: int
    direction_hits: int
    absolute_error: float
    absolute_error_of_zero: float


@dataclass(frozen=True)
class TrackRecord:
    """The forecasts of one model name since a date.

    Attributes:
        total: All together, or None where none has an outcome yet.
        days: By target date, oldest first.
        assets: By symbol.
        backfills: Forecasts that were left out because they were made after their session opened.
    """

    total: Tally | None
    days: dict[date, Tally]
    assets: dict[str, Tally]
    backfills: int


def read_track_record(
    connection: Connection, model_name: str, since: date, *, include_backfills: bool = False
) -> TrackRecord:
    """Count how the forecasts of a model name turned out.

    Args:
        connection: As `roi_reader`.
        model_name: The model name.
        since: First target date that counts.
        include_backfills: Whether forecasts made after their session opened count too.
    """
    outcomes = realised_forecasts.c
    predicted, realised = outcomes.predicted_roi_pct, outcomes.realised_roi_pct
    counted = (
        outcomes.model_name == model_name,
        outcomes.target_date >= since,
        outcomes.horizon == 1,
    )
    live = ~outcomes.backfill
    measured = (
        func.count(),
        func.count().filter(outcomes.inside_80),
        func.count().filter(outcomes.inside_95),
        func.count().filter(predicted != 0, realised != 0),
        func.count().filter(func.sign(predicted) * func.sign(realised) == 1),
        func.avg(func.abs(realised - predicted)),
        func.avg(func.abs(realised)),
    )
    rows = connection.execute(
        select(outcomes.target_date, outcomes.symbol, *measured)
        .where(*counted, *(() if include_backfills else (live,)))
        .group_by(
            func.grouping_sets(tuple_(outcomes.target_date), tuple_(outcomes.symbol), tuple_())
        )
        .order_by(outcomes.target_date, outcomes.symbol)
    )
    total: Tally | None = None
    days: dict[date, Tally] = {}
    assets: dict[str, Tally] = {}
    for day, symbol, *figures in rows:
        if figures[0] == 0:
            continue
        tally = Tally(*figures)
        if day is not None:
            days[day] = tally
        elif symbol is not None:
            assets[symbol] = tally
        else:
            total = tally
    backfills = 0
    if not include_backfills:
        published = published_forecasts.c
        backfills = connection.execute(
            select(func.count())
            .select_from(published_forecasts)
            .where(
                published.model_name == model_name,
                published.target_date >= since,
                published.horizon == 1,
                published.backfill,
            )
        ).scalar_one()
    return TrackRecord(total, days, assets, backfills)
