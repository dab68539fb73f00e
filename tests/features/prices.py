"""Small price tables for the tests of the features."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from roi_forecast.array_types import BoolArray, DateArray, FloatArray
from roi_forecast.features.rows import PriceRows
from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import NO_CONTEXT, Context, load_universe

SYMBOLS = ("RELIANCE.NS", "TCS.NS", "INFY.NS", "GC=F")
ASSETS = load_universe().select(SYMBOLS)
START = date(2023, 1, 2)
AS_OF = date(2023, 12, 29)


def simulated_bars(end: date = AS_OF) -> pd.DataFrame:
    """Bars in long form with the columns that alignment reads."""
    market = SimulatedSource()
    frames = [market.fetch(asset, START, end).bars.assign(symbol=asset.symbol) for asset in ASSETS]
    return pd.concat(frames, ignore_index=True)


def with_wild_future(bars: pd.DataFrame, first_wild_date: date) -> pd.DataFrame:
    """Replace every price from a date on by nonsense, and add days that never were."""
    wild = bars.copy()
    later = wild["trading_date"] >= pd.Timestamp(first_wild_date)
    generator = np.random.default_rng(1)
    for name in ("open", "high", "low", "close", "adj_close"):
        wild.loc[later, name] = generator.uniform(1e-3, 1e9, later.sum())
    wild.loc[later, "volume"] = generator.integers(0, 10**12, later.sum())
    return wild


def price_rows(
    symbols: tuple[str, ...],
    dates: DateArray,
    prices: FloatArray,
    filled: BoolArray | None = None,
    context: Context = NO_CONTEXT,
) -> PriceRows:
    """Aligned prices with nothing but closes, published at 22:00 UTC; no context asset moves."""
    unknown = np.full(prices.shape, np.nan)
    moves = np.zeros((len(dates), len(context.assets)))
    return PriceRows(
        symbols=symbols,
        dates=dates,
        prices=prices,
        filled=np.zeros(prices.shape, dtype=np.bool_) if filled is None else filled,
        true_range=np.zeros(prices.shape),
        gap=unknown,
        volume=unknown,
        left_out={},
        published_at=dates.astype("datetime64[s]") + np.timedelta64(22, "h"),
        publish=context.publish,
        context_symbols=context.symbols,
        context=moves,
        context_missing=np.zeros(moves.shape, dtype=np.bool_),
    )


CONTEXT = Context(load_universe().select(["AAPL", "CL=F"]))


def context_bars(end: date = AS_OF) -> pd.DataFrame:
    """Bars of two context assets, which begin half a year before the rows."""
    market = SimulatedSource(today=date(2024, 6, 3))
    frames = [
        market.fetch(asset, date(2022, 7, 1), end).bars.assign(symbol=asset.symbol)
        for asset in CONTEXT.assets
    ]
    return pd.concat(frames, ignore_index=True)
