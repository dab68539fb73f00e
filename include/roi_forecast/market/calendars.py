"""Sessions of the exchanges: which dates count as rows, targets and horizons.

`exchange_calendars` knows holidays up to a date that differs by exchange (the Indian ones are only
announced for the running year). Beyond it weekdays stand in, and one warning says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from roi_forecast.errors import UniverseError
from roi_forecast.market.blocks import Bars, blocks_of
from roi_forecast.universe import Asset, Exchange, reference_exchange

logger = logging.getLogger(__name__)

FIRST_CALENDAR_DATE = "1997-01-02"
_MAX_BREAK = timedelta(days=30)


def sessions(exchange: Exchange, start: date, end: date) -> pd.DatetimeIndex:
    """Return the sessions from `start` to `end`, both inclusive; empty if `end` is earlier.

    Weekdays stand in for dates that the exchange's calendar does not cover.

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
    """Return the last session that is not after `day`."""
    return _last(sessions(exchange, day - _MAX_BREAK, day))


def next_sessions(exchange: Exchange, after: date, count: int) -> list[date]:
    """Return the first `count` sessions later than `after`, in order."""
    span = timedelta(days=2 * count) + _MAX_BREAK
    following = sessions(exchange, after + timedelta(days=1), after + span)
    return [session.date() for session in following[:count]]


def last_known_session(exchange: Exchange) -> date:
    """Return the last session that the exchange's calendar has data for."""
    return _last(_known_sessions(exchange.calendar))


def last_final_session(assets: Sequence[Asset], now: datetime) -> date:
    """Return the last reference session on which no asset's bar can still change.

    Args:
        assets: The assets of the run; the calendar of most of them is the reference.
        now: The moment to judge from, with time zone.
    """
    exchanges = {asset.exchange for asset in assets}
    reference = reference_exchange(assets)
    # The furthest zones lie 14 hours ahead, so a session dated tomorrow may already be over.
    end = now.date() + timedelta(days=1)
    candidates = sessions(reference, end - _MAX_BREAK, end)
    final = [
        session
        for session in candidates
        if all(exchange.final_at(session.date()) <= now for exchange in exchanges)
    ]
    return _last(_index(final))


def reference_sessions(
    bars: Bars, assets: Sequence[Asset], start: date, as_of_date: date
) -> pd.DatetimeIndex:
    """Return the dates that are rows of a dataset.

    These are the sessions of the reference calendar, plus special dates that the calendar lacks but
    on which more than half of that calendar's assets have bars, less sessions on which none has.

    Args:
        bars: Stored bars, columns `symbol` and `trading_date` at least. Rows after `as_of_date` are
            not looked at.
        assets: The assets of the run.
        start: First date.
        as_of_date: Last date; nothing later is returned.
    """
    reference = reference_exchange(assets)
    own = [asset for asset in assets if asset.exchange.calendar == reference.calendar]
    traded = compare_with_calendar(bars, own, start, as_of_date)
    if len(traded.special):
        logger.info(
            "%d sessions that the calendar %s lacks have bars and count: %s",
            len(traded.special),
            reference.calendar,
            _name_dates(traded.special),
        )
    if len(traded.silent):
        logger.warning(
            "%d sessions of the calendar %s have no bar of any of its %d assets and are left out: "
            "%s",
            len(traded.silent),
            reference.calendar,
            len(own),
            _name_dates(traded.silent),
        )
    return traded.dates


@dataclass(frozen=True)
class TradedDates:
    """The dates on which the assets of one calendar traded.

    Attributes:
        calendar: Sessions of the calendar.
        special: Dates outside the calendar on which more than half of the assets have bars.
        silent: Sessions of the calendar on which none has a bar.
    """

    calendar: pd.DatetimeIndex
    special: pd.DatetimeIndex
    silent: pd.DatetimeIndex

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The calendar's sessions with the special ones, without the silent ones."""
        return _index(self.calendar.difference(self.silent).union(self.special))


def compare_with_calendar(
    bars: Bars, assets: Sequence[Asset], start: date, as_of_date: date
) -> TradedDates:
    """Compare the dates of stored bars with the calendar that the assets share.

    Args:
        bars: As in `reference_sessions`; rows after `as_of_date` are not looked at.
        assets: Assets of one calendar.
        start: First date.
        as_of_date: Last date.
    """
    counts = count_assets_with_bars(bars, assets, start, as_of_date)
    traded_on = pd.DatetimeIndex(counts.index)
    calendar = sessions(assets[0].exchange, start, as_of_date)
    most = traded_on[(counts > len(assets) / 2).to_numpy()]
    return TradedDates(calendar, most.difference(calendar), calendar.difference(traded_on))


def count_assets_with_bars(
    bars: Bars, assets: Sequence[Asset], start: date, as_of_date: date
) -> pd.Series[int]:
    """Return for each date on which any of the assets has a bar how many have one.

    Args:
        bars: As in `reference_sessions`.
        assets: Whose bars count.
        start: First date.
        as_of_date: Last date; rows after it are not looked at.
    """
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
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        found = exchange_calendars.get_calendar(calendar, start=FIRST_CALENDAR_DATE)
    except InvalidCalendarName as error:
        raise UniverseError(
            f"the calendar {calendar!r} does not exist; take a code that exchange_calendars lists, "
            "such as 'XBOM' or 'XNYS'"
        ) from error
    except ValueError:
        # Raised where the calendar reaches back less far; its own default start then fits.
        found = exchange_calendars.get_calendar(calendar)
    return _index(found.sessions)


@lru_cache(maxsize=64)
def _warn_once(calendar: str, side: str, edge: date) -> None:
    logger.warning(
        "the calendar %s has no data %s %s; weekdays stand in, so holidays there count as sessions",
        calendar,
        side,
        edge,
    )


def _index(values: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(values, name="trading_date").as_unit("us").sort_values()


def _last(index: pd.DatetimeIndex) -> date:
    last: date = index[-1].date()
    return last


def _name_dates(index: pd.Index, most: int = 10) -> str:
    named = ", ".join(f"{day:%Y-%m-%d}" for day in index[:most])
    return named if len(index) <= most else f"{named} and {len(index) - most} more"
