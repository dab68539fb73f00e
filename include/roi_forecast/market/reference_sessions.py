"""Reference sessions: the dates that become rows, targets and horizons of a run."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from roi_forecast.market.bars import Bars, blocks_of
from roi_forecast.market.calendars import sessions
from roi_forecast.quoting import listed
from roi_forecast.universe import Asset, reference_exchange

logger = logging.getLogger(__name__)


def log_reference(assets: Sequence[Asset], start: date, end: date) -> None:
    """Log which calendar gives the rows of a run, why, and how the assets of others fit in."""
    for line in explain_reference(assets, start, end):
        logger.info("%s", line)


def explain_reference(assets: Sequence[Asset], start: date, end: date) -> Iterator[str]:
    """Give the reason for the reference calendar and what it means for each other calendar.

    Nothing if all assets share a calendar.

    Args:
        assets: The assets of a run.
        start: First date of its rows.
        end: Last date.
    """
    exchange = reference_exchange(assets)
    reference = exchange.calendar
    symbols: dict[str, list[str]] = defaultdict(list)
    for asset in assets:
        symbols[asset.exchange.calendar].append(asset.symbol)
    if len(symbols) == 1:
        return
    most = len(symbols[reference])
    equals = [calendar for calendar, own in symbols.items() if len(own) == most]
    reason = "the calendar of most assets"
    if len(equals) > 1:
        equals.remove(reference)
        rivals = listed(equals)
        reason = f"the calendar of as many assets as {rivals}, named first of those that ever close"
    yield f"rows are sessions of {reference}, {reason} ({most} of {len(assets)})"
    rows = sessions(exchange, start, end)
    fits = []
    for calendar in symbols.keys() - {reference}:
        other = next(a.exchange for a in assets if a.exchange.calendar == calendar)
        held = sessions(other, start, end)
        fits.append(
            f"{calendar} ({listed(symbols[calendar])}) lacks {len(rows.difference(held))} of "
            f"{len(rows)} rows and has {len(held.difference(rows))} sessions between rows"
        )
    yield (
        f"other calendars: {'; '.join(sorted(fits))}. On a row that a calendar lacks the last "
        "price counts; moves between rows count in the next row"
    )


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
        dates = self.calendar.difference(self.silent).union(self.special)
        return pd.DatetimeIndex(dates, name="trading_date").as_unit("us")


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
    no_dates = pd.DatetimeIndex([], name="trading_date").as_unit("us")
    counts = pd.Series(dtype=np.int64, index=no_dates)
    for block in blocks_of(bars):
        between = block["trading_date"].between(pd.Timestamp(start), pd.Timestamp(as_of_date))
        own = block[between & block["symbol"].isin(symbols)]
        of_block = own.groupby("trading_date")["symbol"].nunique()
        counts = counts.add(of_block, fill_value=0).astype(np.int64)
    return counts


def _list_dates(index: pd.Index) -> str:
    return listed([f"{day:%Y-%m-%d}" for day in index])
