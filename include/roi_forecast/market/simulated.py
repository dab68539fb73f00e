"""A seeded market without a network: the same bars for a symbol whatever range is asked.

Every symbol has one path over all weekdays since a fixed origin, and a session's bar shows the path
on that day. So neither the range nor a calendar that learns of a new holiday changes other bars.
Returns are a common factor times the asset's exposure plus noise of its own, both with Student's t
distribution of 4 degrees of freedom, whose tails resemble those of daily returns.
"""

from __future__ import annotations

import hashlib
import math
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.market.calendars import sessions
from roi_forecast.market.source import as_bars
from roi_forecast.universe import Asset

ORIGIN = date(1990, 1, 1)
SEED = 20_240_101

_DEGREES_OF_FREEDOM = 4
_FACTOR_VOLATILITY = 0.008
_SMALLEST_PRICE_STEP = 0.01


class SimulatedSource:
    """A market drawn from fixed seeds; no bar lies before 1990."""

    key = "simulated"

    def fetch(self, asset: Asset, start: date, end: date) -> pd.DataFrame:
        """Return the bars of the asset's own sessions; see `PriceSource.fetch`.

        Raises:
            NoPricesError: No session lies between the two dates, or they end before 1990.
        """
        days = pd.bdate_range(ORIGIN, max(end, ORIGIN))
        path = _simulate(asset.symbol, len(days))
        path.insert(0, "trading_date", days)
        held = sessions(asset.exchange, max(start, ORIGIN), end)
        return as_bars(path[path["trading_date"].isin(held)], asset, start, end)

    def check_reachable(self, asset: Asset) -> None:
        """Return: nothing has to be reached."""

    def last_trading_date(self) -> None:
        """Return None: there are bars for every session."""


def _simulate(symbol: str, days: int) -> pd.DataFrame:
    """Return the bars of the first `days` weekdays; fewer days are a prefix of more."""
    character = _stream(symbol, "character")
    exposure = character.uniform(0.6, 1.3)
    own_volatility = character.uniform(0.007, 0.016)
    first_price = character.uniform(100, 3000)
    typical_volume = 10 ** character.uniform(5, 7)

    factor = _FACTOR_VOLATILITY * _fat_tailed(_stream("", "factor"), days)
    own = own_volatility * _fat_tailed(_stream(symbol, "own"), days)
    close = first_price * np.exp(np.cumsum(exposure * factor + own))

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
    }
    rounded = {name: np.maximum(np.round(p, 2), _SMALLEST_PRICE_STEP) for name, p in prices.items()}
    return pd.DataFrame(rounded | {"adj_close": rounded["close"], "volume": volume.astype("int64")})


def _fat_tailed(generator: np.random.Generator, days: int) -> npt.NDArray[np.float64]:
    """Return `days` draws with mean 0 and standard deviation 1."""
    deviation = math.sqrt(_DEGREES_OF_FREEDOM / (_DEGREES_OF_FREEDOM - 2))
    draws: npt.NDArray[np.float64] = generator.standard_t(_DEGREES_OF_FREEDOM, days)
    return draws / deviation


def _stream(symbol: str, purpose: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{symbol}\x00{purpose}".encode()).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest[:8], "big")])
