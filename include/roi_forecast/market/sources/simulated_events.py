"""Events of simulated assets: dividends, splits, and fates that the name of a symbol selects.

| symbol prefix | fate |
|---|---|
| `LISTED2023` | the first bar is on a day in 2023 |
| `DELISTED2024` | the last bar is on a day in 2024 |
| `SPLIT2024` | a split of five for one on a day in 2024 |
| `GAPS10` | about 10 % of the bars are missing |
| `WRONGBAR2024` | one bar in 2024 has ten times its prices |

The day depends on the whole symbol, so `LISTED2023.NS` and `LISTED2023B.NS` differ. Every other
symbol trades on all sessions of its exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.market.sources.simulated_shocks import random_stream
from roi_forecast.universe import Asset

SHARES_AFTER_SPLIT = 5
FACTOR_OF_WRONG_BAR = 10

DEAR = 4
"""A stock is split the day after it closes above this multiple of its first price."""

_SHARE_WITH_DIVIDENDS = 0.7
_DAYS_BETWEEN_DIVIDENDS = 130
_FATE = re.compile(
    r"(?P<kind>LISTED|DELISTED|SPLIT|WRONGBAR)(?P<year>(?:19|20)\d\d)|GAPS(?P<percent>\d\d)"
)


@dataclass(frozen=True)
class Fate:
    """An asset's fate: the limits of its bars, a split, a wrong bar, the share of missing bars."""

    listed_from: date | None = None
    traded_until: date | None = None
    split_on: date | None = None
    wrong_on: date | None = None
    missing_share: float = 0.0


def fate_of(symbol: str) -> Fate:
    """Return the fate that the symbol's name selects, if any."""
    match = _FATE.match(symbol)
    if match is None:
        return Fate()
    if match["percent"]:
        return Fate(missing_share=int(match["percent"]) / 100)
    day_of_year = int(random_stream(symbol, "fate").integers(60, 300))
    day = date(int(match["year"]), 1, 1) + timedelta(days=day_of_year)
    kinds = {
        "LISTED": Fate(listed_from=day),
        "DELISTED": Fate(traded_until=day),
        "SPLIT": Fate(split_on=day),
        "WRONGBAR": Fate(wrong_on=day),
    }
    return kinds[match["kind"]]


def cumulative_value_retained(
    asset: Asset, days: int, character: np.random.Generator
) -> FloatArray:
    """Return the share of the asset's value not yet paid out as dividends, shape (days,).

    Args:
        asset: Only stocks pay dividends, and not all of them.
        days: Trading days since the origin.
        character: Random numbers of the asset.
    """
    pays = _has_events(asset) and character.random() < _SHARE_WITH_DIVIDENDS
    dividend = character.uniform(0.002, 0.012) if pays else 0.0
    first = int(character.integers(_DAYS_BETWEEN_DIVIDENDS))
    goes_ex = np.arange(days) % _DAYS_BETWEEN_DIVIDENDS == first
    return (1 - dividend) ** np.cumsum(goes_ex, dtype=np.float64)


def _has_events(asset: Asset) -> bool:
    return asset.asset_class == "stock"


def cumulative_shares(
    asset: Asset, fate: Fate, days: pd.DatetimeIndex, prices: FloatArray
) -> FloatArray:
    """Return the number of shares that one share of the first day has become, shape (days,).

    Args:
        asset: Only stocks are split.
        fate: May contain a split; otherwise stocks are split when they become dear.
        days: Trading days since the origin.
        prices: Prices without any split, shape (days,).
    """
    shares = np.ones(len(days))
    if fate.split_on is not None:
        shares[days >= pd.Timestamp(fate.split_on)] = SHARES_AFTER_SPLIT
        return shares
    if not _has_events(asset):
        return shares
    first = 0
    while (dear := prices[first:] / shares[first:] > DEAR * prices[0]).any():
        first += int(dear.argmax()) + 1
        shares[first:] *= SHARES_AFTER_SPLIT
    return shares


def price_errors(fate: Fate, days: pd.DatetimeIndex) -> FloatArray:
    """Return the factors by which the source misstates the prices of days, shape (days,)."""
    factors = np.ones(len(days))
    if fate.wrong_on is not None:
        # The first trading day from then on, if it has come.
        first = int(days.searchsorted(pd.Timestamp(fate.wrong_on)))
        factors[first : first + 1] = FACTOR_OF_WRONG_BAR
    return factors


def is_missing(symbol: str, fate: Fate, days: int) -> BoolArray:
    """Return the days without a bar, shape (days,)."""
    if fate.missing_share == 0:
        return np.zeros(days, dtype=bool)
    return random_stream(symbol, "missing").random(days) < fate.missing_share
