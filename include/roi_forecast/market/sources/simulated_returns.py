"""Opening gaps and log ROIs from open to close of simulated assets.

`simulated_markets` says what they are made of; every shock follows the process of
`simulated_shocks`. Unusual volume is followed by larger own shocks on the next trading day.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.market.sources.simulated_markets import (
    INTRADAY_VOLATILITY,
    OVERNIGHT_VOLATILITY,
    OWN_OVERNIGHT_SHARE,
    exposures_of,
    lead_of,
    market_of,
    sector_of,
)
from roi_forecast.market.sources.simulated_shocks import simulate_sessions, simulate_shocks
from roi_forecast.universe import Asset

EFFECT_OF_VOLUME = 0.15
"""Log of the factor by which a volume one standard deviation above usual widens own shocks."""


def simulate_log_roi(asset: Asset, activity: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return opening gaps and log ROIs from open to close, both of shape (days,).

    Args:
        asset: The asset.
        activity: Standardised log volume of the first trading days since the origin, shape
            (days,); a prefix gives a prefix of the result.
    """
    days = len(activity)
    exposures, lead, market = exposures_of(asset), lead_of(asset), market_of(asset)
    unusual = np.concatenate([[EFFECT_OF_VOLUME], activity[:-1]])[:days]
    # The mean square of the factor is 1, so volume leaves the long-run variance as it is.
    own = exposures.own * np.exp(EFFECT_OF_VOLUME * (unusual - EFFECT_OF_VOLUME))
    own_overnight, own_intraday = simulate_sessions(asset.symbol, days)
    market_overnight, market_intraday = _market_shocks(market, days)
    gap = (
        exposures.market * OVERNIGHT_VOLATILITY * market_overnight
        + math.sqrt(OWN_OVERNIGHT_SHARE) * own * own_overnight
    )
    open_to_close = (
        exposures.market * INTRADAY_VOLATILITY * market_intraday
        + exposures.sector * _sector_shocks(sector_of(asset), days)
        + math.sqrt(1 - OWN_OVERNIGHT_SHARE) * own * own_intraday
    )
    if lead is not None:
        first = min(lead.weekdays, days)
        gap[first:] += lead.weight * home_move(lead.market, days)[: days - first]
    return gap, open_to_close


def home_move(market: str, days: int) -> FloatArray:
    """Return a market's log ROI from news of its own on its first days, shape (days,)."""
    overnight, intraday = _market_shocks(market, days)
    return OVERNIGHT_VOLATILITY * overnight + INTRADAY_VOLATILITY * intraday


@lru_cache(maxsize=32)
def _market_shocks(market: str, days: int) -> tuple[FloatArray, FloatArray]:
    overnight, intraday = simulate_sessions(market, days)
    overnight.flags.writeable = intraday.flags.writeable = False
    return overnight, intraday


@lru_cache(maxsize=32)
def _sector_shocks(sector: str, days: int) -> FloatArray:
    shocks = simulate_shocks(sector, "sector", days)
    shocks.flags.writeable = False
    return shocks
