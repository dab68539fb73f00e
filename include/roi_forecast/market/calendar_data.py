"""Trading calendars of exchange_calendars, each with the weeks that its exchange keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from roi_forecast.array_types import BoolArray, DateArray, MomentArray
from roi_forecast.errors import UniverseError

FIRST_CALENDAR_DATE = "1997-01-02"


@dataclass(frozen=True)
class CalendarData:
    """What is known of an exchange's sessions.

    Attributes:
        sessions: All known sessions, ascending.
        opens: Their openings in UTC, shape (sessions,), datetime64[s].
        weeks: The weekdays with sessions before the first and after the last known session, each
            as seven digits from Monday.
        open_times: The usual opening before and after them, local time.
        open_offset: Days from a session's date to its opening; -1 opens on the evening before.
        timezone: Zone of `open_times`.
    """

    sessions: pd.DatetimeIndex
    opens: MomentArray
    weeks: tuple[str, str]
    open_times: tuple[time, time]
    open_offset: int
    timezone: tzinfo

    @property
    def first(self) -> date:
        """First known session."""
        day: date = self.sessions[0].date()
        return day

    @property
    def last(self) -> date:
        """Last known session."""
        day: date = self.sessions[-1].date()
        return day


@lru_cache(maxsize=128)
def load_calendar(code: str) -> CalendarData:
    """Load a calendar from 1997, or from its first date if that is later.

    pandas 3.1 ignores how exchange_calendars 4.13 changes the week of an exchange, which leaves Tel
    Aviv (Sunday to Thursday until 2026-01-04) without a calendar. So each week that held until
    a date is loaded as a calendar of its own. Single Saturdays are no week of the exchange: bars
    tell them.

    Raises:
        UniverseError: The calendar does not exist.
    """
    parts = list(_periods(_calendar_type(code)))
    oldest, newest = parts[0], parts[-1]
    opens = [part.opens.dt.tz_convert(None).to_numpy().astype("datetime64[s]") for part in parts]
    dates = np.concatenate([part.sessions.to_numpy() for part in parts])
    return CalendarData(
        sessions=pd.DatetimeIndex(dates, name="trading_date").as_unit("us"),
        opens=np.concatenate(opens),
        weeks=(oldest.weekmask, newest.weekmask),
        open_times=(oldest.open_times[0][1], newest.open_times[-1][1]),
        open_offset=newest.open_offset,
        timezone=newest.tz,
    )


def is_in_week(days: DateArray, week: str) -> BoolArray:
    """Return whether dates are weekdays of a week, shape (days,)."""
    inside: BoolArray = np.is_busday(days, weekmask=week)
    return inside


def _calendar_type(code: str) -> Any:
    from exchange_calendars import resolve_alias
    from exchange_calendars.calendar_utils import _default_calendar_factories
    from exchange_calendars.errors import InvalidCalendarName

    _rename_offsets()
    try:
        return _default_calendar_factories[resolve_alias(code)]
    except InvalidCalendarName as error:
        raise UniverseError(
            f"the calendar {code!r} does not exist; take a code that exchange_calendars lists, "
            "such as 'XBOM' or 'XNYS'"
        ) from error


def _rename_offsets() -> None:
    """Give the offsets of exchange_calendars 4.13, which define `_apply`, the name of pandas 3.1.

    Without it Orthodox Easter raises an error, and the holidays of Tel Aviv, which are subclasses
    of Easter, all fall on dates that follow from Easter.
    """
    from exchange_calendars import tase_holidays
    from exchange_calendars.pandas_extensions.offsets import OrthodoxEaster

    declared: list[Any] = [OrthodoxEaster, *vars(tase_holidays).values()]
    for offset in declared:
        if isinstance(offset, type) and "_apply" in vars(offset):
            setattr(offset, "_add_datetime", vars(offset)["_apply"])  # noqa: B010


def _periods(calendar: Any) -> Iterator[Any]:
    """Give one calendar for each week that the exchange kept, in order of time."""
    start = pd.Timestamp(FIRST_CALENDAR_DATE)
    if calendar.bound_min() is not None:
        start = max(start, calendar.bound_min())
    changes = getattr(calendar, "special_weekmasks", None)
    for first, last, week in changes.fget(None) if changes else ():
        if first is None and last >= start:
            one_week = {"weekmask": week, "special_weekmasks": ()}
            yield type(calendar.__name__, (calendar,), one_week)(start=start, end=last)
            start = last + timedelta(days=1)
    yield type(calendar.__name__, (calendar,), {"special_weekmasks": ()})(start=start)
