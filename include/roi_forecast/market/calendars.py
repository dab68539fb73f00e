"""Sessions of the exchanges: the dates that count as rows, targets and horizons.

`exchange_calendars` knows holidays up to a date that differs by exchange; Indian ones are announced
for the current year only. Beyond it, weekdays count as sessions, with one warning.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from roi_forecast.array_types import DateArray, MomentArray
from roi_forecast.errors import UniverseError
from roi_forecast.market.bars import Bars, blocks_of
from roi_forecast.quoting import listed
from roi_forecast.universe import Asset, Exchange, reference_exchange

logger = logging.getLogger(__name__)

FIRST_CALENDAR_DATE = "1997-01-02"
_MAX_BREAK = timedelta(days=30)


def sessions(exchange: Exchange, start: date, end: date) -> pd.DatetimeIndex:
    """Return the sessions from `start` to `end`, both inclusive; empty if `end` is earlier.

    Outside the data of the exchange's calendar, weekdays count as sessions.

    Raises:
        UniverseError: The exchange names a calendar that does not exist.
    """
    if end < start:
        return _index([])
    known = _known_sessions(exchange.calendar)
    first, last = known[0].date(), known[-1].date()
    parts = [known[(known >= pd.Timestamp(start)) & (known <= pd.Timestamp(end))]]
    if start < first:
        _warn_once(exchange.calendar, "before", first)
        parts.insert(0, pd.bdate_range(start, min(end, first - timedelta(days=1))))
    if end > last:
        _warn_once(exchange.calendar, "after", last)
        parts.append(pd.bdate_range(max(start, last + timedelta(days=1)), end))
    return _index(np.concatenate([part.to_numpy() for part in parts]))


def session_on_or_before(exchange: Exchange, day: date) -> date:
    """Return the last session on or before `day`."""
    return _last(sessions(exchange, day - _MAX_BREAK, day))


def next_sessions(exchange: Exchange, after: date, count: int) -> list[date]:
    """Return the first `count` sessions later than `after`, in order."""
    span = timedelta(days=2 * count) + _MAX_BREAK
    following = sessions(exchange, after + timedelta(days=1), after + span)
    return [session.date() for session in following[:count]]


def last_known_session(exchange: Exchange) -> date:
    """Return the last session in the data of the exchange's calendar."""
    return _last(_known_sessions(exchange.calendar))


def opens_at(exchange: Exchange, trading_date: date) -> datetime:
    """Return the opening of a date in UTC, or of the next session if it is none."""
    day_before = np.array([trading_date - timedelta(days=1)], dtype="datetime64[D]")
    opening: datetime = next_openings(exchange, day_before)[0].item()
    return opening.replace(tzinfo=UTC)


def next_openings(exchange: Exchange, after: DateArray) -> MomentArray:
    """Return the opening of the first session later than each date.

    Outside the calendar's data, the usual opening time of a weekday.

    Args:
        exchange: The exchange.
        after: Ascending dates, shape (rows,), datetime64[D].

    Returns:
        Shape (rows,), datetime64[s] in UTC.
    """
    if not len(after):
        return np.empty(0, dtype="datetime64[s]")
    first, last = after[0].item(), after[-1].item()
    following = sessions(exchange, first + timedelta(days=1), last + _MAX_BREAK)
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
    loaded = _load_calendar(calendar)
    known = _known_sessions(calendar)
    opens = pd.DatetimeIndex(loaded.opens).tz_convert(None)
    position = known.get_indexer(days)
    openings = opens.to_numpy().astype("datetime64[s]")[position]
    for row in np.flatnonzero(position < 0).tolist():
        session = days[row].date()
        usual: time = loaded.open_times[0 if session < known[0].date() else -1][1]
        day = session + timedelta(days=loaded.open_offset)
        moment = datetime.combine(day, usual, loaded.tz).astimezone(UTC)
        openings[row] = moment.replace(tzinfo=None)
    return openings


def reference_sessions(
    bars: Bars, assets: Sequence[Asset], start: date, as_of_date: date
) -> pd.DatetimeIndex:
    """Return the dates that become rows of a dataset.

    These are the sessions of the reference calendar, plus other dates on which more than half of
    its assets have bars, minus sessions on which none has.

    Args:
        bars: Stored bars with at least the columns `symbol` and `trading_date`.
        assets: The assets of the run.
        start: First date.
        as_of_date: Last date; later bars are ignored.
    """
    reference = reference_exchange(assets)
    own = [asset for asset in assets if asset.exchange.calendar == reference.calendar]
    traded = compare_with_calendar(bars, own, start, as_of_date)
    if len(traded.special):
        logger.info(
            "%d dates outside the calendar %s have bars and count as sessions: %s",
            len(traded.special),
            reference.calendar,
            _list_dates(traded.special),
        )
    if len(traded.silent):
        logger.warning(
            "%d sessions of the calendar %s have no bar of any of its %d assets and are left out: "
            "%s",
            len(traded.silent),
            reference.calendar,
            len(own),
            _list_dates(traded.silent),
        )
    return traded.dates


@dataclass(frozen=True)
class TradedDates:
    """The dates on which the assets of one calendar traded.

    Attributes:
        calendar: Sessions of the calendar.
        special: Dates outside the calendar on which more than half of the assets have bars.
        silent: Sessions of the calendar on which no asset has a bar.
    """

    calendar: pd.DatetimeIndex
    special: pd.DatetimeIndex
    silent: pd.DatetimeIndex

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The calendar's sessions plus the special dates, minus the silent ones."""
        return _index(self.calendar.difference(self.silent).union(self.special))


def compare_with_calendar(
    bars: Bars, assets: Sequence[Asset], start: date, as_of_date: date
) -> TradedDates:
    """Compare the dates of stored bars with the calendar that the assets share.

    Args:
        bars: See `reference_sessions`.
        assets: Assets of one calendar.
        start: First date.
        as_of_date: Last date; later bars are ignored.
    """
    counts = _count_assets_with_bars(bars, assets, start, as_of_date)
    traded_on = pd.DatetimeIndex(counts.index)
    calendar = sessions(assets[0].exchange, start, as_of_date)
    most = traded_on[(counts > len(assets) / 2).to_numpy()]
    return TradedDates(calendar, most.difference(calendar), calendar.difference(traded_on))


def _count_assets_with_bars(
    bars: Bars, assets: Sequence[Asset], start: date, as_of_date: date
) -> pd.Series[int]:
    """Return the number of assets with a bar, by date."""
    symbols = [asset.symbol for asset in assets]
    counts = pd.Series(dtype=np.int64, index=_index([]))
    for block in blocks_of(bars):
        between = block["trading_date"].between(pd.Timestamp(start), pd.Timestamp(as_of_date))
        own = block[between & block["symbol"].isin(symbols)]
        of_block = own.groupby("trading_date")["symbol"].nunique()
        counts = counts.add(of_block, fill_value=0).astype(np.int64)
    return counts


@lru_cache(maxsize=16)
def _known_sessions(calendar: str) -> pd.DatetimeIndex:
    return _index(_load_calendar(calendar).sessions)


@lru_cache(maxsize=16)
def _load_calendar(calendar: str) -> Any:
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        return exchange_calendars.get_calendar(calendar, start=FIRST_CALENDAR_DATE)
    except InvalidCalendarName as error:
        raise UniverseError(
            f"the calendar {calendar!r} does not exist; take a code that exchange_calendars lists, "
            "such as 'XBOM' or 'XNYS'"
        ) from error
    except ValueError:
        # Raised if the calendar starts later; then its default start is right.
        return exchange_calendars.get_calendar(calendar)


@lru_cache(maxsize=64)
def _warn_once(calendar: str, side: str, edge: date) -> None:
    logger.warning(
        "the calendar %s has no data %s %s; all weekdays there count as sessions, holidays too",
        calendar,
        side,
        edge,
    )


def _index(values: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(values, name="trading_date").as_unit("us").sort_values()


def _last(index: pd.DatetimeIndex) -> date:
    last: date = index[-1].date()
    return last


def _list_dates(index: pd.Index) -> str:
    return listed([f"{day:%Y-%m-%d}" for day in index])
