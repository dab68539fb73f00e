"""What the log ROIs of simulated assets are made of, and what a context is worth by construction.

The exchanges that share a calendar form a market, named after the calendar. An asset's log ROI is

    gap           = lead weight x home move of the leading market
                    + exposure x overnight part of the home move + own overnight shock
    open to close = exposure x intraday part of the home move + sector's shock + own shock

where the home move of a market on a day is news of its own: both its parts, without any lead. All
shocks are independent of each other and over time. So an asset's past says nothing about its next
session, and the context says exactly what `LEADS` plants, all of it about the opening gap:

| target market | leading market | weekday of its home move |
|---|---|---|
| `XBOM` (NSE, BSE) | `XNYS` (New York) | the one before: that session ends before Mumbai opens |
| `XNYS` | `XBOM` | the same one: Mumbai closes before New York opens |

Metals, currencies and all other markets neither lead nor follow. `lead_of` gives an asset's true
weight; `implied_by` gives the best weights on the moves of given context assets and their R2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.market.sources.simulated_shocks import random_stream
from roi_forecast.universe import Asset

SECTORS = 5
"""Sectors per market and asset class; the name of a symbol determines its sector."""

INTRADAY_VOLATILITY = 0.007
OVERNIGHT_VOLATILITY = 0.004
HOME_VOLATILITY = math.hypot(INTRADAY_VOLATILITY, OVERNIGHT_VOLATILITY)
"""Standard deviation of a market's home move on a weekday."""

SECTOR_VOLATILITY = 0.005

OWN_OVERNIGHT_SHARE = 0.2
"""Share of the variance of an asset's own shocks that lies in the opening gap."""

_INDEX_VOLATILITY = 0.002


@dataclass(frozen=True)
class MarketLead:
    """How one market leads another.

    Attributes:
        market: Calendar of the leading market.
        weekdays: Weekdays from its home move to the opening gap that follows.
        shares: Lowest and highest share of the variance of a single asset's log ROI that it makes.
    """

    market: str
    weekdays: int
    shares: tuple[float, float]


LEADS = {
    "XBOM": MarketLead("XNYS", weekdays=1, shares=(0.03, 0.05)),
    "XNYS": MarketLead("XBOM", weekdays=0, shares=(0.01, 0.02)),
}


@dataclass(frozen=True)
class Exposures:
    """An asset's exposure to its market and the standard deviations of its other parts."""

    market: float
    sector: float
    own: float


@dataclass(frozen=True)
class Lead:
    """An asset's lead: `gap[t] = weight * home_move[market][t - weekdays] + …`."""

    market: str
    weekdays: int
    weight: float


@dataclass(frozen=True)
class ImpliedSkill:
    """What given context assets say about an asset's next session.

    Attributes:
        weights: Least-squares weights of the gap on their moves, shape (context assets,).
        gap_r2: R2 against zero of the gap with these weights.
        log_roi_r2: R2 against zero of the whole log ROI with these weights.
    """

    weights: FloatArray
    gap_r2: float
    log_roi_r2: float


def market_of(asset: Asset) -> str:
    """Return the market whose home move the asset follows: the calendar of its exchange."""
    return asset.exchange.calendar


def sector_of(asset: Asset) -> str:
    """Return the sector whose factor the asset follows, such as `XBOM-stock-3`."""
    number = random_stream(asset.symbol, "sector").integers(SECTORS)
    return f"{market_of(asset)}-{asset.asset_class}-{number}"


def is_index(asset: Asset) -> bool:
    """Return whether the asset is an index, such as `^GSPC`: the market with hardly any noise."""
    return asset.asset_class == "index"


def exposures_of(asset: Asset) -> Exposures:
    """Return the sizes of all parts of the asset's log ROI but its lead."""
    generator = random_stream(asset.symbol, "exposures")
    if is_index(asset):
        return Exposures(generator.uniform(0.9, 1.1), 0.0, _INDEX_VOLATILITY)
    return Exposures(
        generator.uniform(0.6, 1.3), SECTOR_VOLATILITY, generator.uniform(0.007, 0.015)
    )


def lead_of(asset: Asset) -> Lead | None:
    """Return the planted lead of the asset's opening gap; None where nothing leads its market."""
    market_lead = LEADS.get(market_of(asset))
    if market_lead is None:
        return None
    share = random_stream(asset.symbol, "lead").uniform(*market_lead.shares)
    variance = _variance_without_lead(asset) * share / (1 - share)
    weight = math.sqrt(variance) / HOME_VOLATILITY
    return Lead(market_lead.market, market_lead.weekdays, weight)


def implied_by(context: Sequence[Asset], asset: Asset) -> ImpliedSkill:
    """Return what the context's moves of one weekday say about the gap that follows them.

    It is the linear projection of the gap on the moves: their covariance matrix, inverted, times
    their covariance with the gap, all from the construction.

    Args:
        context: Context assets; their moves are those of the weekday whose home move leads.
        asset: The asset that is forecast.
    """
    lead = lead_of(asset)
    parts = [_standard_deviations(each) for each in context]
    if lead is None or not parts:
        return ImpliedSkill(np.zeros(len(parts)), 0.0, 0.0)
    moves = np.array(
        [[sum(one[key] * other.get(key, 0.0) for key in one) for other in parts] for one in parts]
    )
    led = lead.weight * HOME_VOLATILITY
    with_gap = led * np.array([part.get((lead.market, 0), 0.0) for part in parts])
    weights = np.linalg.solve(moves, with_gap)
    explained = float(weights @ with_gap)
    exposures = exposures_of(asset)
    gap = math.fsum(
        (
            led**2,
            (exposures.market * OVERNIGHT_VOLATILITY) ** 2,
            OWN_OVERNIGHT_SHARE * exposures.own**2,
        )
    )
    whole = led**2 + _variance_without_lead(asset)
    return ImpliedSkill(weights, explained / gap, explained / whole)


def _variance_without_lead(asset: Asset) -> float:
    exposures = exposures_of(asset)
    market = exposures.market * HOME_VOLATILITY
    return market**2 + exposures.sector**2 + exposures.own**2


def _standard_deviations(asset: Asset) -> dict[tuple[str, int], float]:
    """Return the standard deviation that each independent source, some weekdays ago, adds."""
    exposures, lead = exposures_of(asset), lead_of(asset)
    parts = {
        (market_of(asset), 0): exposures.market * HOME_VOLATILITY,
        (sector_of(asset), 0): exposures.sector,
        (asset.symbol, 0): exposures.own,
    }
    if lead is not None:
        parts[lead.market, lead.weekdays] = lead.weight * HOME_VOLATILITY
    return parts
