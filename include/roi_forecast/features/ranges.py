"""The true range: how far a price travelled from one row to the next, gaps included."""

from __future__ import annotations

import numpy as np
import pandas as pd

from roi_forecast.array_types import DateArray, FloatArray


def true_ranges(
    bars: pd.DataFrame,
    symbols: tuple[str, ...],
    dates: DateArray,
    prices: FloatArray,
) -> FloatArray:
    """Return the true range of every row, as a fraction of the carried price of the row before.

    The highest price since the previous row, that row's price included, less the lowest. All bars
    after the previous row's date and up to the row's own count, so that sessions between two rows
    are in it. High and low are adjusted as their bar's close is, which keeps them consistent with
    the carried prices over splits and dividends.

    Source: Wilder, New Concepts in Technical Trading Systems, 1978, chapter on volatility.

    Args:
        bars: Long frame with symbol, trading_date, high, low, close and adj_close; a bar whose
            prices are not all finite and above zero is passed over, and so is one after the last
            row.
        symbols: The assets, in column order.
        dates: The rows, ascending, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets).

    Returns:
        Shape (rows, assets), a fraction; NaN in the first row and where the asset had no bar since
        the previous row.
    """
    needed = bars[["high", "low", "close", "adj_close"]].to_numpy(dtype=np.float64)
    usable = (
        (np.isfinite(needed) & (needed > 0)).all(axis=1)
        & bars["symbol"].isin(symbols).to_numpy()
        & (bars["trading_date"] <= pd.Timestamp(dates[-1])).to_numpy()
    )
    counted = bars.loc[usable]
    days = counted["trading_date"].to_numpy().astype("datetime64[D]")
    columns = pd.Index(symbols).get_indexer(counted["symbol"])
    # One place in the flat array: numpy is several times as fast with it as with two indices.
    place = np.searchsorted(dates, days) * len(symbols) + columns
    adjusted = needed[usable] * (needed[usable, 3] / needed[usable, 2])[:, np.newaxis]
    highest, lowest = np.full(prices.shape, -np.inf), np.full(prices.shape, np.inf)
    np.maximum.at(highest.reshape(-1), place, adjusted[:, 0])
    np.minimum.at(lowest.reshape(-1), place, adjusted[:, 1])
    ranges = np.full(prices.shape, np.nan)
    before = prices[:-1]
    travelled = np.maximum(highest[1:], before) - np.minimum(lowest[1:], before)
    ranges[1:] = np.where(np.isfinite(highest[1:]), travelled / before, np.nan)
    return ranges
