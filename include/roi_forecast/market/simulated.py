"""A seeded market without a network: the same bars for a symbol whatever range is asked.

Every symbol has one path over all weekdays since a fixed origin, and a session's bar shows the path
on that day. So neither the range nor a calendar that learns of a new holiday changes other bars.

A return is the sum of a market factor, a sector factor and the asset's own noise. Each of the three
follows a GJR-GARCH(1,1) process (Glosten, Jagannathan and Runkle 1993) driven by Student's t, which
gives what daily returns are known for: fat tails, calm and wild spells, and more unrest after
losses than after gains. Stocks pay dividends. `adj_close` is the value of one share bought at the
origin with all dividends reinvested, so it is never restated.
"""

from __future__ import annotations

import hashlib
import math
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.market.calendars import sessions
from roi_forecast.market.source import as_bars
from roi_forecast.universe import Asset

FloatArray = npt.NDArray[np.float64]

ORIGIN = date(1990, 1, 1)
SEED = 20_240_101

SECTORS = 5
"""Sectors within each asset class; a symbol's is drawn from its name."""

_MARKET_VOLATILITY = 0.007
_SECTOR_VOLATILITY = 0.005

_DEGREES_OF_FREEDOM = 6
_REACTION = 0.03
_REACTION_TO_LOSSES = 0.08
_PERSISTENCE = 0.90

_SMALLEST_PRICE_STEP = 0.01
_WEEKDAYS_BETWEEN_DIVIDENDS = 130


class SimulatedSource:
    """A market drawn from fixed seeds; no bar lies before 1990."""

    key = "simulated"

    def fetch(self, asset: Asset, start: date, end: date) -> pd.DataFrame:
        """Return the bars of the asset's own sessions; see `PriceSource.fetch`.

        Raises:
            NoPricesError: No session lies between the two dates, or they end before 1990.
        """
        days = pd.bdate_range(ORIGIN, max(end, ORIGIN))
        path = _simulate(asset, len(days))
        path.insert(0, "trading_date", days)
        held = sessions(asset.exchange, max(start, ORIGIN), end)
        return as_bars(path[path["trading_date"].isin(held)], asset, start, end)

    def check_reachable(self, asset: Asset) -> None:
        """Return: nothing has to be reached."""

    def last_trading_date(self) -> None:
        """Return None: there are bars for every session."""


def sector_of(asset: Asset) -> str:
    """Return the sector whose factor the asset follows, such as `stock-3`."""
    return f"{asset.asset_class}-{_stream(asset.symbol, 'sector').integers(SECTORS)}"


def _simulate(asset: Asset, days: int) -> pd.DataFrame:
    """Return the bars of the first `days` weekdays; fewer days are a prefix of more."""
    symbol = asset.symbol
    character = _stream(symbol, "character")
    market_exposure = character.uniform(0.6, 1.3)
    own_volatility = character.uniform(0.007, 0.015)
    first_price = character.uniform(100, 3000)
    typical_volume = 10 ** character.uniform(5, 7)
    pays_dividends = asset.asset_class == "stock" and character.random() < 0.7
    dividend = character.uniform(0.002, 0.012) if pays_dividends else 0.0
    first_dividend = int(character.integers(_WEEKDAYS_BETWEEN_DIVIDENDS))

    log_returns = (
        market_exposure * _MARKET_VOLATILITY * _shocks("market", "factor", days)
        + _SECTOR_VOLATILITY * _shocks(sector_of(asset), "factor", days)
        + own_volatility * _shocks(symbol, "own", days)
    )
    adjusted = first_price * np.exp(np.cumsum(log_returns))
    weekday = np.arange(days)
    goes_ex = (weekday % _WEEKDAYS_BETWEEN_DIVIDENDS) == first_dividend
    close = adjusted * np.cumprod(np.where(goes_ex, 1 - dividend, 1.0))

    intraday = 0.5 * own_volatility
    gap = intraday * _stream(symbol, "gap").standard_normal(days)
    opened = np.concatenate([[first_price], close[:-1]]) * np.exp(gap)
    above = np.abs(intraday * _stream(symbol, "above").standard_normal(days))
    below = np.abs(intraday * _stream(symbol, "below").standard_normal(days))
    volume = typical_volume * np.exp(0.4 * _stream(symbol, "volume").standard_normal(days))

    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * np.exp(above),
        "low": np.minimum(opened, close) * np.exp(-below),
        "close": close,
        "adj_close": adjusted,
    }
    rounded = {name: np.maximum(np.round(p, 2), _SMALLEST_PRICE_STEP) for name, p in prices.items()}
    return pd.DataFrame(rounded | {"volume": volume.astype("int64")})


@lru_cache(maxsize=32)
def _shocks(name: str, purpose: str, days: int) -> FloatArray:
    """Return `days` draws of a GJR-GARCH(1,1) process with mean 0 and long-run variance 1."""
    deviation = math.sqrt(_DEGREES_OF_FREEDOM / (_DEGREES_OF_FREEDOM - 2))
    draws = _stream(name, purpose).standard_t(_DEGREES_OF_FREEDOM, days) / deviation
    base = 1 - _REACTION - _REACTION_TO_LOSSES / 2 - _PERSISTENCE
    shocks = np.empty(days)
    variance = 1.0
    for day, draw in enumerate(draws.tolist()):
        shock = math.sqrt(variance) * draw
        reaction = _REACTION + (_REACTION_TO_LOSSES if shock < 0 else 0.0)
        variance = base + reaction * shock * shock + _PERSISTENCE * variance
        shocks[day] = shock
    shocks.flags.writeable = False
    return shocks


def _stream(name: str, purpose: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{name}\x00{purpose}".encode()).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest[:8], "big")])
