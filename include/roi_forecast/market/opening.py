"""When a session opens: a forecast made later is no forecast any more."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from roi_forecast.market.calendars import next_sessions
from roi_forecast.universe import Exchange


def opens_at(exchange: Exchange, trading_date: date) -> datetime:
    """Return when trading of a date begins, in UTC; of the next session where it is none.

    Outside the calendar's data, where opening hours are not known, it is the start of the local
    day: too early rather than too late.
    """
    import exchange_calendars
    import pandas as pd

    session = next_sessions(exchange, trading_date - timedelta(days=1), 1)[0]
    calendar: Any = exchange_calendars.get_calendar(exchange.calendar)
    stamp = pd.Timestamp(session)
    if calendar.first_session <= stamp <= calendar.last_session and calendar.is_session(stamp):
        opening: datetime = calendar.session_open(stamp).to_pydatetime()
        return opening.astimezone(UTC)
    return datetime.combine(session, time(), exchange.timezone).astimezone(UTC)
