"""How past forecasts turned out: by target date, by asset, and all together.

Only forecasts of the next session count, and only where the asset had a bar on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, tuple_

from roi_forecast.reading.views import published_forecasts, realised_forecasts

# A year of 5,000 assets takes 3 s; three years in one statement ran into the reader's time limit.
_MAX_PERIOD = timedelta(days=366)
_ERRORS = 2


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
    days: dict[date, _Sums] = defaultdict(_Sums)
    assets: dict[str, _Sums] = defaultdict(_Sums)
    total = _Sums()
    for first, last in _periods(connection, model_name, since):
        counted = _count(connection, model_name, first, last, include_backfills=include_backfills)
        for row in counted:
            day, symbol, *counts = row[:-_ERRORS]
            of_row = total if day is symbol is None else assets[symbol] if symbol else days[day]
            of_row.add(counts, row[-_ERRORS:])
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
    return TrackRecord(
        total.tally() if total.counts[0] else None,
        {day: sums.tally() for day, sums in days.items()},
        {symbol: assets[symbol].tally() for symbol in sorted(assets)},
        backfills,
    )


class _Sums:
    """Figures of `Tally` before the errors are divided by the number of forecasts."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0, 0]
        self.errors = [0.0, 0.0]

    def add(self, counts: Sequence[int], errors: Sequence[float | None]) -> None:
        """Add those of other forecasts; the errors of none are null."""
        self.counts = [own + more for own, more in zip(self.counts, counts, strict=True)]
        self.errors = [own + (more or 0.0) for own, more in zip(self.errors, errors, strict=True)]

    def tally(self) -> Tally:
        """Return the figures of at least one forecast."""
        forecasts, inside_80, inside_95, directions, hits = self.counts
        error, error_of_zero = (total / forecasts for total in self.errors)
        return Tally(forecasts, inside_80, inside_95, directions, hits, error, error_of_zero)


def _periods(connection: Connection, model_name: str, since: date) -> Iterator[tuple[date, date]]:
    """Give first and last target dates of periods that each can be counted in time."""
    published = published_forecasts.c
    dated = (
        select(published.target_date)
        .where(
            published.model_name == model_name,
            published.target_date >= since,
            published.horizon == 1,
        )
        .limit(1)
    )
    first = connection.execute(dated.order_by(published.target_date)).scalar()
    last = connection.execute(dated.order_by(published.target_date.desc())).scalar()
    while first is not None and last is not None and first <= last:
        end = min(last, first + _MAX_PERIOD - timedelta(days=1))
        yield first, end
        first = end + timedelta(days=1)


def _count(
    connection: Connection, model_name: str, first: date, last: date, *, include_backfills: bool
) -> Iterable[Row[Any]]:
    """Return target date, symbol and the sums of one period: by date, by symbol, and of all."""
    outcomes = realised_forecasts.c
    predicted, realised = outcomes.predicted_roi_pct, outcomes.realised_roi_pct
    return connection.execute(
        select(
            outcomes.target_date,
            outcomes.symbol,
            func.count(),
            func.count().filter(outcomes.inside_80),
            func.count().filter(outcomes.inside_95),
            func.count().filter(predicted != 0, realised != 0),
            func.count().filter(func.sign(predicted) * func.sign(realised) == 1),
            func.sum(func.abs(realised - predicted)),
            func.sum(func.abs(realised)),
        )
        .where(
            outcomes.model_name == model_name,
            outcomes.target_date.between(first, last),
            outcomes.horizon == 1,
            *(() if include_backfills else (~outcomes.backfill,)),
        )
        .group_by(
            func.grouping_sets(tuple_(outcomes.target_date), tuple_(outcomes.symbol), tuple_())
        )
        .order_by(outcomes.target_date, outcomes.symbol)
    )
