"""A market simulated from fixed seeds, for use without a network.

Every symbol has one path over all trading days since a fixed origin: the weekdays on which its
exchange ever trades, Monday to Friday for most, every day for cryptocurrencies. The bar of a
session shows the path on that day. So neither the requested range nor a new holiday in a calendar
changes other bars.

As at Yahoo, prices are adjusted to the newest bar: a split or a dividend restates all bars before
it in later requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache

import numpy as np
import pandas as pd

from roi_forecast.array_types import FloatArray
from roi_forecast.config import RunConfig
from roi_forecast.market.calendar_data import is_in_week, load_calendar
from roi_forecast.market.calendars import sessions
from roi_forecast.market.sources.simulated_events import (
    cumulative_shares,
    cumulative_value_retained,
    fate_of,
    is_missing,
    price_errors,
)
from roi_forecast.market.sources.simulated_returns import simulate_log_roi
from roi_forecast.market.sources.simulated_shocks import random_stream
from roi_forecast.market.sources.source import FetchedBars, PriceSource, as_bars
from roi_forecast.settings import Settings
from roi_forecast.universe import Asset

ORIGIN = date(1990, 1, 1)

_MIN_PRICE_STEP = 0.01
_RANGE = 0.005
"""Typical log distance of the high and the low from the nearer of open and close."""
_VOLUME_SPREAD = 0.4
"""Standard deviation of the log volume."""


class SimulatedSource:
    """A simulated market; its bars begin in 1990.

    Args:
        today: The date up to which prices include splits and dividends; None: today. A request for
            later bars moves it to the last of them.
    """

    key = "simulated"

    def __init__(self, today: date | None = None) -> None:
        self._today = today or datetime.now(UTC).date()

    def fetch(self, asset: Asset, start: date, end: date) -> FetchedBars:
        """Return the bars of the asset's own sessions; see `PriceSource.fetch`.

        Raises:
            NoPricesError: The asset has no session between the two dates.
        """
        days = _trading_days(asset.exchange.calendar, max(self._today, end, ORIGIN))
        path = _simulate(asset, days)
        held = sessions(asset.exchange, max(start, ORIGIN), end)
        return FetchedBars(as_bars(path[path["trading_date"].isin(held)], asset, start, end))

    def symbols(self) -> tuple[str, ...]:
        """Return none: it has any."""
        return ()

    def check_reachable(self, asset: Asset) -> None:
        """Return: nothing needs to be reached."""

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> None:
        """Return None: there are bars for every session."""


def open_source(_config: RunConfig, _settings: Settings, _symbols: Sequence[str]) -> PriceSource:
    """Return the source; see `registry.open_source`."""
    return SimulatedSource()


@lru_cache(maxsize=32)
def _trading_days(calendar: str, end: date) -> pd.DatetimeIndex:
    days = pd.date_range(ORIGIN, end)
    dates = days.to_numpy().astype("datetime64[D]")
    kept = np.any([is_in_week(dates, week) for week in load_calendar(calendar).weeks], axis=0)
    return days[kept]


def _simulate(asset: Asset, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the bars of the days on which the asset trades, adjusted to the last of them."""
    symbol = asset.symbol
    fate = fate_of(symbol)
    if fate.traded_until is not None:
        days = days[days <= pd.Timestamp(fate.traded_until)]
    character = random_stream(symbol, "character")
    first_price = character.uniform(100, 3000)
    typical_volume = 10 ** character.uniform(5, 7)

    activity = random_stream(symbol, "volume").standard_normal(len(days))
    gap, open_to_close = simulate_log_roi(asset, activity)
    retained = cumulative_value_retained(asset, len(days), character)
    whole = first_price * np.exp(np.cumsum(gap + open_to_close)) * retained
    shares = cumulative_shares(asset, fate, days, whole)

    close = whole / shares
    traded = _traded_prices(symbol, close * np.exp(-open_to_close), close)
    split_adjustment = shares / shares[-1:]
    stated = split_adjustment * price_errors(fate, days)
    bars = pd.DataFrame({name: prices * stated for name, prices in traded.items()})
    bars["adj_close"] = bars["close"] * (retained[-1:] / retained)
    volume = typical_volume * np.exp(_VOLUME_SPREAD * activity)
    bars["volume"] = np.round(volume / split_adjustment).astype("int64")
    bars.insert(0, "trading_date", days)
    absent = is_missing(symbol, fate, len(days))
    if fate.listed_from is not None:
        absent |= days < pd.Timestamp(fate.listed_from)
    return bars[~absent]


def _traded_prices(symbol: str, opened: FloatArray, close: FloatArray) -> dict[str, FloatArray]:
    """Return the traded open, high, low and close, rounded to price steps, shapes (days,)."""
    above = np.abs(_RANGE * random_stream(symbol, "above").standard_normal(len(close)))
    below = np.abs(_RANGE * random_stream(symbol, "below").standard_normal(len(close)))
    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * np.exp(above),
        "low": np.minimum(opened, close) * np.exp(-below),
        "close": close,
    }
    return {name: np.maximum(np.round(p, 2), _MIN_PRICE_STEP) for name, p in prices.items()}
