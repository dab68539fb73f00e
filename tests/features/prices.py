"""Small price tables for the tests of the features."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import load_universe

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F")
ASSETS = load_universe().select(SYMBOLS)
START = date(2023, 1, 2)
AS_OF = date(2023, 12, 29)


def simulated_bars(end: date = AS_OF) -> pd.DataFrame:
    """Bars in long form with the columns that alignment reads."""
    market = SimulatedSource()
    frames = [market.fetch(asset, START, end).assign(symbol=asset.symbol) for asset in ASSETS]
    return pd.concat(frames, ignore_index=True)


def with_wild_future(bars: pd.DataFrame, first_wild_date: date) -> pd.DataFrame:
    """Replace every price from a date on by nonsense, and add days that never were."""
    wild = bars.copy()
    later = wild["trading_date"] >= pd.Timestamp(first_wild_date)
    generator = np.random.default_rng(1)
    for name in ("high", "low", "close", "adj_close"):
        wild.loc[later, name] = generator.uniform(1e-3, 1e9, later.sum())
    return wild
