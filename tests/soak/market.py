"""The planted market: what a vendor shows of each symbol on each day, and its true prices.

Prices are simulated once. On top of them lie splits, dividends, corrections, a listing, a
delisting, a suspension and a change of symbol, so that what the vendor shows depends on the day on
which it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from roi_forecast.market.calendars import next_sessions
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import Asset, load_universe

FIRST_DAY = date(2020, 9, 1)
PRICES = ("open", "high", "low", "close", "adj_close")

STEADY = ("DRREDDY.NS", "CIPLA.NS", "KO", "PEP", "HG=F")
SUSPENDED, OLD_NAME, NEW_NAME = "EICHERMOT.NS", "GRASIM.NS", "ULTRACEMCO.NS"
DELISTED, LISTED = "HEROMOTOCO.NS", "BRITANNIA.NS"
CONTEXT = ("^FTSE", "GBP=X")
SYMBOLS = (*STEADY, SUSPENDED, OLD_NAME, NEW_NAME, DELISTED, LISTED)
REFERENCE = "DRREDDY.NS"

_FROM_THE_FUTURE = 5


@dataclass(frozen=True)
class Event:
    """What changes the prices of a symbol on a day.

    Attributes:
        kind: `split`: from this day on all earlier bars are divided by `size`. `dividend`: from
            this day on earlier adjusted closes are lower by this share. `correction`: on this day,
            and on no later one, its bar is shown larger by this share.
        symbol: The asset.
        day: A session of the asset.
        size: See `kind`.
    """

    kind: str
    symbol: str
    day: date
    size: float


class PlantedMarket:
    """All prices from `FIRST_DAY` to the last day, and what is shown of them.

    Args:
        last_day: The last day of which there are prices.
        listed_on: First session of `LISTED`.
        delisted_on: Last session of `DELISTED`.
        suspended: First and last date on which `SUSPENDED` does not trade.
        renamed_on: First date on which `NEW_NAME` replaces `OLD_NAME`.
    """

    def __init__(
        self,
        last_day: date,
        listed_on: date,
        delisted_on: date,
        suspended: tuple[date, date],
        renamed_on: date,
    ) -> None:
        simulated = SimulatedSource(last_day)
        self._listed_on = listed_on
        self._delisted_on = delisted_on
        self._renamed_on = renamed_on
        self.events: list[Event] = []
        self._bars: dict[str, pd.DataFrame] = {}
        for symbol in (*SYMBOLS, *CONTEXT):
            shown = OLD_NAME if symbol == NEW_NAME else symbol
            bars = simulated.fetch(asset_of(shown), FIRST_DAY, last_day).bars
            days = bars["trading_date"].dt.date
            kept = np.ones(len(bars), dtype=bool)
            if symbol == LISTED:
                kept = (days >= listed_on).to_numpy()
            if symbol == DELISTED:
                kept = (days <= delisted_on).to_numpy()
            if symbol == SUSPENDED:
                kept = ~days.between(*suspended).to_numpy()
            # Dividends of its own are in the adjusted close alone: here it starts as the close.
            self._bars[symbol] = bars[kept].assign(adj_close=bars["close"], symbol=symbol)

    def asked_on(self, day: date) -> list[str]:
        """Return the symbols that a person would ask for on a day, a week after each change."""
        late = pd.Timestamp(day) - pd.Timedelta(days=7)
        present = [*STEADY, SUSPENDED]
        present.append(NEW_NAME if day >= self._renamed_on else OLD_NAME)
        if late.date() <= self._delisted_on:
            present.append(DELISTED)
        if late.date() >= self._listed_on:
            present.append(LISTED)
        return present

    def is_known(self, symbol: str, today: date) -> bool:
        """Tell whether the vendor knows a symbol on a day."""
        if symbol == OLD_NAME:
            return today < self._renamed_on
        if symbol == NEW_NAME:
            return today >= self._renamed_on
        return symbol != LISTED or today >= self._listed_on

    def shown(self, symbol: str, today: date) -> pd.DataFrame:
        """Return the bars of a symbol up to a day, as the vendor gives them on that day."""
        bars = self._bars[symbol]
        bars = bars[bars["trading_date"].dt.date <= today].copy()
        own = OLD_NAME if symbol == NEW_NAME else symbol
        for event in self.events:
            if event.symbol != own:
                continue
            before = (bars["trading_date"].dt.date < event.day).to_numpy()
            if event.kind == "split" and event.day > today:
                bars[list(PRICES)] *= event.size
            elif event.kind == "dividend" and event.day <= today:
                bars.loc[before, "adj_close"] *= 1 - event.size
            elif event.kind == "correction" and event.day == today:
                newest = (bars["trading_date"].dt.date == today).to_numpy()
                bars.loc[newest, list(PRICES)] *= 1 + event.size
        return bars

    def with_future(self, symbol: str, today: date) -> pd.DataFrame:
        """Return what is shown, and after it bars of days to come that must never be believed."""
        bars = self.shown(symbol, today)
        if bars.empty:
            return bars
        days = next_sessions(asset_of(symbol).exchange, today, _FROM_THE_FUTURE)
        future = pd.concat([bars.tail(1)] * len(days), ignore_index=True)
        future[list(PRICES)] *= 1.02
        return pd.concat([bars, future.assign(trading_date=pd.DatetimeIndex(days))])


def asset_of(symbol: str) -> Asset:
    """Return the asset of a symbol."""
    return load_universe().asset(symbol)
