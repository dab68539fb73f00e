"""What a bar says besides its close: the true range, the gap at the opening, the volume."""

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
    """Return the true range of every row.

    That is the highest price since the previous row, its own price included, less the lowest. All
    bars after the previous row's date up to the row's own date count, so sessions between two rows
    do too. High and low are adjusted like the close of their bar, which keeps them consistent with
    the carried prices across splits and dividends.

    Source: Wilder, New Concepts in Technical Trading Systems, 1978, chapter on volatility.

    Args:
        bars: Long frame with symbol, trading_date, high, low, close and adj_close. Bars after the
            last row are ignored.
        symbols: The assets, in column order.
        dates: The rows, ascending, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets).

    Returns:
        Shape (rows, assets), a fraction of the previous row's carried price; NaN in the first row
        and where the asset had no bar since the previous row, or one of these bars has a price that
        is missing, not finite or not positive.
    """
    known = (
        bars["symbol"].isin(symbols).to_numpy()
        & (bars["trading_date"] <= pd.Timestamp(dates[-1])).to_numpy()
    )
    own = bars.loc[known]
    needed = own[["high", "low", "close", "adj_close"]].to_numpy(dtype=np.float64)
    sound = (np.isfinite(needed) & (needed > 0)).all(axis=1, keepdims=True)
    needed = np.where(sound, needed, np.nan)
    days = own["trading_date"].to_numpy().astype("datetime64[D]")
    columns = pd.Index(symbols).get_indexer(pd.Index(own["symbol"]))
    # numpy is several times faster with one index into the flat array than with two indices.
    position = np.searchsorted(dates, days) * len(symbols) + columns
    adjusted = needed * (needed[:, 3] / needed[:, 2])[:, np.newaxis]
    # The maximum of anything and NaN is NaN: a range over part of the bars would be too narrow.
    highest, lowest = np.full(prices.shape, -np.inf), np.full(prices.shape, np.inf)
    with np.errstate(invalid="ignore"):
        np.maximum.at(highest.reshape(-1), position, adjusted[:, 0])
        np.minimum.at(lowest.reshape(-1), position, adjusted[:, 1])
    ranges = np.full(prices.shape, np.nan)
    previous = prices[:-1]
    spread = np.maximum(highest[1:], previous) - np.minimum(lowest[1:], previous)
    ranges[1:] = np.where(np.isfinite(highest[1:]), spread / previous, np.nan)
    return ranges


def gaps_and_volumes(
    bars: pd.DataFrame,
    symbols: tuple[str, ...],
    dates: DateArray,
    prices: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the gap at the opening and the volume of every row.

    The gap is the log ROI from the carried adjusted close of the previous row to the adjusted open;
    the rest of the row's log ROI comes from open to close. The open is adjusted like the close of
    its bar.

    Args:
        bars: Long frame with symbol, trading_date, open, close, adj_close and volume. Only bars on
            the date of a row count; a price or volume that is not finite and positive does not.
        symbols: The assets, in column order.
        dates: The rows, ascending, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets).

    Returns:
        Two arrays of shape (rows, assets): the gap, unscaled, NaN in the first row and without a
        usable open; the shares traded, NaN without a usable volume.
    """
    days = bars["trading_date"].to_numpy().astype("datetime64[D]")
    row = np.minimum(np.searchsorted(dates, days), len(dates) - 1)
    column = pd.Index(symbols).get_indexer(pd.Index(bars["symbol"]))
    own = (column >= 0) & (dates[row] == days)
    position = row[own], column[own]
    numbers = bars.loc[own, ["open", "close", "adj_close", "volume"]].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        numbers = np.where(np.isfinite(numbers) & (numbers > 0), numbers, np.nan)
    opens, volumes = (np.full(prices.shape, np.nan) for _ in range(2))
    opens[position] = numbers[:, 0] * (numbers[:, 2] / numbers[:, 1])
    volumes[position] = numbers[:, 3]
    gaps = np.full(prices.shape, np.nan)
    gaps[1:] = np.log(opens[1:] / prices[:-1])
    return gaps, volumes
