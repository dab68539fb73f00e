"""Sessions and openings of the exchanges.

`exchange_calendars` knows holidays up to a date that differs by exchange; Indian ones are announced
for the current year only. Beyond it, every weekday on which the exchange usually trades counts as a
session, with one warning.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from roi_forecast.array_types import DateArray, MomentArray
from roi_forecast.market.calendar_data import is_in_week, load_calendar
from roi_forecast.universe import Exchange

logger = logging.getLogger(__name__)

_ONE_DAY = timedelta(days=1)
LONGEST_BREAK = timedelta(days=60)
"""More than any exchange was ever closed; Athens was in 2015, for five weeks."""


def sessions(exchange: Exchange, start: date, end: date) -> pd.DatetimeIndex:
    """Return the sessions from `start` to `end`, both inclusive; empty if `end` is earlier.

    Outside the data of the exchange's calendar, the weekdays on which it usually trades count as
    sessions: Sunday to Thursday in Riyadh, every day for cryptocurrencies.

    Raises:
        UniverseError: The exchange names a calendar that does not exist.
    """
    if end < start:
        return _index([])
    data = load_calendar(exchange.calendar)
    known = data.sessions
    parts = [known[(known >= pd.Timestamp(start)) & (known <= pd.Timestamp(end))].to_numpy()]
    if start < data.first:
        _warn_once(exchange.calendar, "before", data.first)
        parts.insert(0, _usual(start, min(end, data.first - _ONE_DAY), data.weeks[0]))
    if end > data.last:
        _warn_once(exchange.calendar, "after", data.last)
        parts.append(_usual(max(start, data.last + _ONE_DAY), end, data.weeks[1]))
    return _index(np.concatenate(parts))


def session_on_or_before(exchange: Exchange, day: date) -> date:
    """Return the last session on or before `day`."""
    return _last(sessions(exchange, day - LONGEST_BREAK, day))


def next_sessions(exchange: Exchange, after: date, count: int) -> list[date]:
    """Return the first `count` sessions later than `after`, in order."""
    span = timedelta(days=2 * count) + LONGEST_BREAK
    following = sessions(exchange, after + timedelta(days=1), after + span)
    return [session.date() for session in following[:count]]


def last_known_session(exchange: Exchange) -> date:
    """Return the last session in the data of the exchange's calendar."""
    return load_calendar(exchange.calendar).last


def opens_at(exchange: Exchange, trading_date: date) -> datetime:
    """Return the opening of a date in UTC, or of the next session if it is none."""
    day_before = np.array([trading_date - timedelta(days=1)], dtype="datetime64[D]")
    opening: datetime = next_openings(exchange, day_before)[0].item()
    return opening.replace(tzinfo=UTC)


def next_openings(exchange: Exchange, after: DateArray) -> MomentArray:
    """Return the opening of the first session later than each date.

    Outside the calendar's data, the usual opening time.

    Args:
        exchange: The exchange.
        after: Ascending dates, shape (rows,), datetime64[D].

    Returns:
        Shape (rows,), datetime64[s] in UTC.
    """
    if not len(after):
        return np.empty(0, dtype="datetime64[s]")
    first, last = after[0].item(), after[-1].item()
    following = sessions(exchange, first + timedelta(days=1), last + LONGEST_BREAK)
    days = following.to_numpy().astype("datetime64[D]")
    position = np.searchsorted(days, after, side="right")
    unique, row_of = np.unique(position, return_inverse=True)
    opening: MomentArray = _openings(exchange.calendar, following[unique])[row_of]
    return opening


def openings_on(exchange: Exchange, days: DateArray) -> MomentArray:
    """Return the opening on each date; the usual time on one that the calendar lacks.

    Args:
        exchange: The exchange.
        days: Shape (rows,), datetime64[D].

    Returns:
        Shape (rows,), datetime64[s] in UTC.
    """
    return _openings(exchange.calendar, _index(days))


def _openings(calendar: str, days: pd.DatetimeIndex) -> MomentArray:
    """Return the openings of sessions; the usual time where the calendar has no data."""
    data = load_calendar(calendar)
    position = data.sessions.get_indexer(days)
    openings: MomentArray = data.opens[position]
    for row in np.flatnonzero(position < 0).tolist():
        session = days[row].date()
        usual = data.open_times[0 if session < data.first else 1]
        day = session + timedelta(days=data.open_offset)
        moment = datetime.combine(day, usual, data.timezone).astimezone(UTC)
        openings[row] = moment.replace(tzinfo=None)
    return openings


def _usual(start: date, end: date, week: str) -> DateArray:
    """Return the dates of a period that are weekdays of a week."""
    days: DateArray = pd.date_range(start, end).to_numpy().astype("datetime64[D]")
    return days[is_in_week(days, week)]


@lru_cache(maxsize=64)
def _warn_once(calendar: str, side: str, edge: date) -> None:
    logger.warning(
        "the calendar %s has no data %s %s; holidays there count as sessions, too",
        calendar,
        side,
        edge,
    )


def _index(values: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(values, name="trading_date").as_unit("us").sort_values()


def _last(index: pd.DatetimeIndex) -> date:
    last: date = index[-1].date()
    return last
