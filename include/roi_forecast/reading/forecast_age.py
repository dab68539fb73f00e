"""How old the newest forecasts of a model name are."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection, select

from roi_forecast.database.views import view_columns
from roi_forecast.errors import UniverseError
from roi_forecast.market.calendars import sessions
from roi_forecast.market.due_sessions import last_due_session
from roi_forecast.reading.model_names import ModelName
from roi_forecast.reading.runs import Run
from roi_forecast.universe import Context, Publish, load_universe, reference_exchange

logger = logging.getLogger(__name__)

_champions = view_columns(
    "champions", "model_name", "as_of_date", "publish", "symbols", "context_symbols"
)


@dataclass(frozen=True)
class OldForecasts:
    """The newest forecasts of a champion where newer ones were due.

    Attributes:
        as_of_date: The session from whose prices the newest forecasts are.
        due_session: The last session whose forecasts were due.
        sessions: How many sessions lie between the two, the later one included.
        run: The newest daily run of the name, or None.
    """

    as_of_date: date
    due_session: date
    sessions: int
    run: Run | None


def read_old_forecasts(
    connection: Connection, name: ModelName, dag_id: str, now: datetime, deadline: timedelta
) -> OldForecasts | None:
    """Read how old a name's newest forecasts are; None if they are in time, or nothing serves.

    Args:
        connection: As `roi_reader`.
        name: The model name.
        dag_id: The DAG of the daily runs.
        now: The present, with time zone.
        deadline: How long after they are due forecasts may be missing.
    """
    champion = connection.execute(
        select(_champions).where(_champions.c.model_name == name.model_name)
    ).one_or_none()
    if champion is None or champion.as_of_date is None:
        return None
    # Found once a minute, whoever asks.
    minute = (now - deadline).replace(second=0, microsecond=0)
    try:
        due, behind = _sessions_due(
            tuple(champion.symbols),
            tuple(champion.context_symbols),
            champion.publish,
            champion.as_of_date,
            minute,
        )
    except UniverseError as error:
        logger.warning("the age of the forecasts of %s is not known: %s", name.model_name, error)
        return None
    if behind <= 0:
        return None
    history = Run.view.c
    runs, _ = Run.read(
        connection, history.model_name == name.model_name, history.dag_id == dag_id, limit=1
    )
    return OldForecasts(champion.as_of_date, due, behind, runs[0] if runs else None)


@lru_cache(maxsize=64)
def _sessions_due(
    symbols: tuple[str, ...],
    context_symbols: tuple[str, ...],
    publish: Publish,
    as_of_date: date,
    now: datetime,
) -> tuple[date, int]:
    """Return the last session whose forecasts were due, and how many were since a date."""
    universe = load_universe()
    assets = universe.select(symbols)
    due = last_due_session(assets, Context(universe.select(context_symbols), publish), now)
    exchange = reference_exchange(assets)
    return due, len(sessions(exchange, as_of_date + timedelta(days=1), due))
