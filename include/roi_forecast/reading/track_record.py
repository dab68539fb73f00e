"""The outcomes of past forecasts: by target date, by asset, all together, and scored by horizon.

Tallies count only forecasts of the next session, and only if the asset had a bar on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, select, tuple_

from roi_forecast.database.views import view_columns
from roi_forecast.reading.records import Forecast, LiveSkill

_realised_forecasts = view_columns(
    "realised_forecasts",
    "model_name",
    "symbol",
    "target_date",
    "horizon",
    "predicted_roi_pct",
    "realised_roi_pct",
    "inside_80",
    "inside_95",
    "backfill",
)

# A year of 5,000 assets takes 3 s; three years in one statement exceeded the reader's time limit.
_MAX_PERIOD = timedelta(days=366)


@dataclass(frozen=True)
class Tally:
    """Counts and mean errors of some forecasts.

    Attributes:
        forecasts: Number of forecasts.
        inside_80: Number of actual ROIs inside the 80 % interval.
        inside_95: Number of actual ROIs inside the 95 % interval.
        directions: Number of forecasts where neither ROI is zero.
        direction_hits: Number of these with the correct sign.
        absolute_error: Mean absolute error, percentage points.
        absolute_error_of_zero: Mean absolute error of forecasting zero, percentage points.
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
        since: First target date that counts.
        include_backfills: Whether forecasts made after their session opened also count.
    """
    # Counts and sums of errors, in the order of `Tally`: by date, by symbol, and of all.
    sums: dict[tuple[date | None, str | None], npt.NDArray[np.float64]] = defaultdict(
        lambda: np.zeros(7)
    )
    for first, last in _periods(connection, model_name, since):
        for day, symbol, *figures in _count(
            connection, model_name, first, last, include_backfills=include_backfills
        ):
            # The errors of no forecasts are null.
            sums[day, symbol] += [figure or 0 for figure in figures]
    tallies = {key: _tally(figures) for key, figures in sums.items() if figures[0]}
    backfills = 0
    if not include_backfills:
        published = Forecast.view.c
        backfills = connection.execute(
            select(func.count()).where(
                published.model_name == model_name,
                published.target_date >= since,
                published.horizon == 1,
                published.backfill,
            )
        ).scalar_one()
    return TrackRecord(
        total=tallies.get((None, None)),
        days={day: tally for (day, _), tally in tallies.items() if day is not None},
        assets=dict(
            sorted((symbol, tally) for (_, symbol), tally in tallies.items() if symbol is not None)
        ),
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


def _tally(figures: npt.NDArray[np.float64]) -> Tally:
    *counts, error, error_of_zero = figures.tolist()
    forecasts, inside_80, inside_95, directions, hits = map(int, counts)
    return Tally(
        forecasts,
        inside_80,
        inside_95,
        directions,
        hits,
        error / forecasts,
        error_of_zero / forecasts,
    )


def _periods(connection: Connection, model_name: str, since: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last target dates of periods short enough for one statement each."""
    published = Forecast.view.c
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
) -> Iterable[Sequence[Any]]:
    """Return target date, symbol and the sums of one period: by date, by symbol, and of all."""
    outcome = _realised_forecasts.c
    predicted, actual = outcome.predicted_roi_pct, outcome.realised_roi_pct
    return connection.execute(
        select(
            outcome.target_date,
            outcome.symbol,
            func.count(),
            func.count().filter(outcome.inside_80),
            func.count().filter(outcome.inside_95),
            func.count().filter(predicted != 0, actual != 0),
            func.count().filter(func.sign(predicted) * func.sign(actual) == 1),
            func.sum(func.abs(actual - predicted)),
            func.sum(func.abs(actual)),
        )
        .where(
            outcome.model_name == model_name,
            outcome.target_date.between(first, last),
            outcome.horizon == 1,
            *(() if include_backfills else (~outcome.backfill,)),
        )
        .group_by(func.grouping_sets(tuple_(outcome.target_date), tuple_(outcome.symbol), tuple_()))
        .order_by(outcome.target_date, outcome.symbol)
    )
