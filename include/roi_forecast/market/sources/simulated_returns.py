"""Log ROIs of the simulated market.

A log ROI is the sum of a market factor, a sector factor and the asset's own noise. Each of the
three follows a GJR-GARCH(1,1) process (Glosten, Jagannathan and Runkle 1993) driven by Student's t.
This reproduces known properties of daily returns: fat tails, volatility clusters, and higher
volatility after losses than after gains.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.universe import Asset

SEED = 20_240_101

SECTORS = 5
"""Sectors per asset class; the name of a symbol determines its sector."""

MARKET_VOLATILITY = 0.007
SECTOR_VOLATILITY = 0.005

DEGREES_OF_FREEDOM = 6
REACTION = 0.03
REACTION_TO_LOSSES = 0.08
PERSISTENCE = 0.90

_DAYS_PER_BLOCK = 250


def simulate_log_roi(
    asset: Asset, days: int, market_exposure: float, own_volatility: float
) -> FloatArray:
    """Return total log ROIs of the first `days` weekdays, shape (days,); fewer are a prefix."""
    return (
        market_exposure * MARKET_VOLATILITY * _shared_shocks("market", days)
        + SECTOR_VOLATILITY * _shared_shocks(sector_of(asset), days)
        + own_volatility * simulate_shocks(asset.symbol, "own", days)
    )


def sector_of(asset: Asset) -> str:
    """Return the sector whose factor the asset follows, such as `stock-3`."""
    return f"{asset.asset_class}-{random_stream(asset.symbol, 'sector').integers(SECTORS)}"


def simulate_shocks(name: str, purpose: str, days: int) -> FloatArray:
    """Return draws of a GJR-GARCH(1,1) process with mean 0 and long-run variance 1, shape (days,).

    The variance of a day is linear in the previous one, with factors that depend on the draws only,
    so blocks of days are solved at once; blocks are short because their products shrink.
    """
    deviation = math.sqrt(DEGREES_OF_FREEDOM / (DEGREES_OF_FREEDOM - 2))
    draws = random_stream(name, purpose).standard_t(DEGREES_OF_FREEDOM, days) / deviation
    base = 1 - REACTION - REACTION_TO_LOSSES / 2 - PERSISTENCE
    factors = PERSISTENCE + (REACTION + REACTION_TO_LOSSES * (draws < 0)) * draws**2
    variances = np.empty(days + 1)
    variances[0] = 1.0
    for first in range(0, days, _DAYS_PER_BLOCK):
        products = np.cumprod(factors[first : first + _DAYS_PER_BLOCK])
        following = products * (variances[first] + base * np.cumsum(1 / products))
        variances[first + 1 : first + 1 + len(following)] = following
    return np.sqrt(variances[:days]) * draws


@lru_cache(maxsize=32)
def _shared_shocks(name: str, days: int) -> FloatArray:
    shocks = simulate_shocks(name, "factor", days)
    shocks.flags.writeable = False
    return shocks


def random_stream(name: str, purpose: str) -> np.random.Generator:
    """Return a new generator of the random numbers of a name and purpose."""
    digest = hashlib.sha256(f"{name}\x00{purpose}".encode()).digest()
    return np.random.default_rng([SEED, int.from_bytes(digest[:8], "big")])
