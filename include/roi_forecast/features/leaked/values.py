"""The part of the leakage audit that checks every value, one block of assets at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.movement import HALT_SESSIONS, UNCHANGED
from roi_forecast.features.rounding import beyond_rounding
from roi_forecast.market.bars import PRICE_COLUMNS, Bars, blocks_of

# Allows for sums in another order; one row more changes a statistic by far more.
_TOLERANCE = 1e-7


@dataclass(frozen=True)
class ValueFindings:
    """The wrong values of a dataset, over all its assets.

    Attributes:
        wrong_prices: Number of prices that are not the asset's last one or have a wrong `filled`.
        prices_from_the_next: How many of them are the price of the next bar.
        first_wrong_price: Row and column of the first of them.
        wrong_returns: Rows with a return, or a mean of returns, that does not end there, (rows,).
        wrong_ranges: Rows with a true range over other bars, shape (rows,).
        wrong_gaps: Rows with a gap to another open than their own bar's, shape (rows,).
        wrong_volumes: Rows with another volume than their own bar's, shape (rows,).
        gives_the_scaler: Rows up to which the statistics are those of the scaler, shape (rows,).
    """

    wrong_prices: int
    prices_from_the_next: int
    first_wrong_price: tuple[int, int] | None
    wrong_returns: BoolArray
    wrong_ranges: BoolArray
    wrong_gaps: BoolArray
    wrong_volumes: BoolArray
    gives_the_scaler: BoolArray


def audit_values(dataset: Dataset, bars: Bars) -> ValueFindings:
    """Compare every value of a dataset with its bars; see `audit_dataset`."""
    rows = len(dataset.dates)
    wrong_prices = from_next = 0
    first_wrong_prices: list[tuple[int, int]] = []
    wrong_returns, wrong_ranges, wrong_gaps, wrong_volumes = (
        np.zeros(rows, dtype=np.bool_) for _ in range(4)
    )
    distance = _distance_from_the_context_scale(dataset)
    for columns, own_bars in _blocks(dataset, bars):
        part = dataset.of_columns(columns)
        known = _KnownPrices.read(part, own_bars)
        has_news = known.has_bar & ~known.halted
        wrong = (part.prices != known.last) | (part.filled == has_news)
        wrong_prices += int(wrong.sum())
        from_next += int((wrong & (part.prices == known.following)).sum())
        first_wrong_prices += [(int(row), columns[at]) for row, at in np.argwhere(wrong)[:1]]
        wrong_returns |= _rows_of_wrong_returns(part)
        wrong_ranges |= _rows_of_wrong_ranges(part, own_bars, known)
        of_gaps, of_volumes = _rows_of_wrong_gaps_and_volumes(part, own_bars, known)
        wrong_gaps |= of_gaps
        wrong_volumes |= of_volumes
        distance = np.maximum(distance, _distance_from_the_scaler(part))
    return ValueFindings(
        wrong_prices,
        from_next,
        min(first_wrong_prices, default=None),
        wrong_returns,
        wrong_ranges,
        wrong_gaps,
        wrong_volumes,
        distance <= _TOLERANCE,
    )


def _blocks(dataset: Dataset, bars: Bars) -> Iterator[tuple[list[int], pd.DataFrame]]:
    """Yield the columns and bars of some assets at a time; the assets without bars come last."""
    column_of = {symbol: column for column, symbol in enumerate(dataset.symbols)}
    for block in blocks_of(bars):
        own = [column_of.pop(symbol) for symbol in block["symbol"].unique() if symbol in column_of]
        if own:
            yield sorted(own), block
    if column_of:
        names = (*PRICE_COLUMNS, "volume")
        none = pd.DataFrame(
            {
                "symbol": pd.Series(dtype="str"),
                "trading_date": pd.Series(dtype="datetime64[us]"),
                **{name: pd.Series(dtype=np.float64) for name in names},
            }
        )
        yield list(column_of.values()), none


def _distance_from_the_scaler(dataset: Dataset) -> FloatArray:
    """Return how far the statistics of the rows up to each row are from the scaler's, (rows,)."""
    values, scaler = dataset.smoothed, dataset.scaler
    counts = np.arange(1, len(values) + 1)[:, np.newaxis]
    means = values.cumsum(axis=0) / counts
    if scaler.kind == "minmax":
        offsets = np.minimum.accumulate(values)
        spreads = np.maximum.accumulate(values) - offsets
    else:
        # Shifted by a fixed value first, or the squares of small differences would cancel out.
        shifted = values - values[0]
        variances = (shifted**2).cumsum(axis=0) / counts - (means - values[0]) ** 2
        offsets, spreads = means, np.sqrt(np.maximum(variances, 0.0))
    # Where nothing has varied yet, the slope is 1 by definition.
    magnitudes = np.maximum.accumulate(np.abs(values))
    spreads = np.where(beyond_rounding(spreads, magnitudes), spreads, 1.0)
    claimed_spreads = 1.0 / scaler.slope
    centers = (means - offsets) / spreads
    plain = dataset.log_roi.cumsum(axis=0) / counts
    distances = (
        (offsets - scaler.offset) / claimed_spreads,
        (spreads - claimed_spreads) / claimed_spreads,
        centers - scaler.center,
        (plain - scaler.log_roi_mean) / claimed_spreads,
    )
    furthest = [np.abs(distance).max(axis=1) for distance in distances]
    worst: FloatArray = np.stack(furthest).max(axis=0)
    return worst


def _distance_from_the_context_scale(dataset: Dataset) -> FloatArray:
    """Return how far the root mean square of the rows up to each row is from the scaler's."""
    counts = np.arange(1, len(dataset.dates) + 1)[:, np.newaxis]
    scales = np.sqrt((dataset.context**2).cumsum(axis=0) / counts)
    claimed = dataset.scaler.context_scale
    distances = np.abs(np.where(scales > 0, scales, 1.0) - claimed) / claimed
    furthest: FloatArray = distances.max(axis=1, initial=0.0)
    return furthest


@dataclass(frozen=True)
class _KnownPrices:
    """The rows according to the bars alone; every array has the shape (rows, assets).

    Attributes:
        last: Adjusted close of the last bar on or before the row; NaN before the first.
        following: Adjusted close of the bar after that; NaN after the last.
        has_bar: Whether there is a bar on the row's date.
        halted: Whether the price has not moved for HALT_SESSIONS sessions up to the row.
    """

    last: FloatArray
    following: FloatArray
    has_bar: BoolArray
    halted: BoolArray

    @classmethod
    def read(cls, dataset: Dataset, bars: pd.DataFrame) -> Self:
        usable = bars[np.isfinite(bars["adj_close"]) & (bars["adj_close"] > 0)]
        usable = usable.sort_values(["symbol", "trading_date"])
        of_symbol = dict(tuple(usable.groupby("symbol")))
        last, following = (np.full(dataset.prices.shape, np.nan) for _ in range(2))
        has_bar = np.zeros(dataset.prices.shape, dtype=np.bool_)
        for column, symbol in enumerate(dataset.symbols):
            own = of_symbol.get(symbol, usable.iloc[:0])
            days = own["trading_date"].to_numpy().astype("datetime64[D]")
            closes = np.concatenate([[np.nan], own["adj_close"], [np.nan]])
            known = np.searchsorted(days, dataset.dates, side="right")
            last[:, column], following[:, column] = closes[known], closes[known + 1]
            has_bar[:, column] = np.isin(dataset.dates, days)
        return cls(last, following, has_bar, _halted(last, dataset.filled))


def _halted(last: FloatArray, claimed: BoolArray) -> BoolArray:
    """Return where a price is halted; for the first rows `claimed` decides if it can be true."""
    unchanged = np.abs(np.diff(np.log(last), axis=0)) <= UNCHANGED
    # The sessions before the first row are unknown here.
    unknown = np.ones((HALT_SESSIONS, last.shape[1]), dtype=np.bool_)
    unchanged = np.concatenate([unknown, unchanged])
    halted: BoolArray = np.all(sliding_window_view(unchanged, HALT_SESSIONS, axis=0), axis=-1)
    halted[:HALT_SESSIONS] &= claimed[:HALT_SESSIONS]
    return halted


def _rows_of_wrong_returns(dataset: Dataset) -> BoolArray:
    span = dataset.smoothing
    plain = np.diff(np.log(dataset.prices), axis=0)
    sums = np.vstack([np.zeros((1, dataset.log_roi.shape[1])), dataset.log_roi.cumsum(axis=0)])
    means = (sums[span:] - sums[:-span]) / span
    wrong = np.zeros(len(dataset.dates), dtype=np.bool_)
    for found, own in ((dataset.log_roi, plain), (dataset.smoothed, means)):
        first = len(found) - len(own)
        wrong[first:] |= ~np.isclose(found[first:], own, rtol=0.0, atol=_TOLERANCE).all(axis=1)
    return wrong


def _rows_of_wrong_ranges(dataset: Dataset, bars: pd.DataFrame, known: _KnownPrices) -> BoolArray:
    rows, symbols = len(dataset.dates), pd.Index(dataset.symbols)
    own_bars = bars[bars["symbol"].isin(symbols)]
    prices = own_bars[["high", "low", "close", "adj_close"]].astype(np.float64)
    sound = ((prices > 0) & np.isfinite(prices)).all(axis=1)
    factor = (prices["adj_close"] / prices["close"]).where(sound)
    days = own_bars["trading_date"].to_numpy().astype("datetime64[D]")
    travelled_by = pd.DataFrame(
        {
            # A bar belongs to the first row on or after its date.
            "row": np.searchsorted(dataset.dates, days),
            "column": symbols.get_indexer(pd.Index(own_bars["symbol"])),
            "high": prices["high"] * factor,
            "low": prices["low"] * factor,
        }
    ).groupby(["row", "column"])
    # One bar without a range leaves its row without.
    highest = travelled_by["high"].max(skipna=False)
    lowest = travelled_by["low"].min(skipna=False)
    travelled = pd.DataFrame({"high": highest, "low": lowest}).reset_index()
    # The first row's range begins before the dataset; bars after the last row belong to no row.
    counted = travelled[travelled["row"].between(1, rows - 1)]
    positions = counted["row"].to_numpy(), counted["column"].to_numpy()
    previous = known.last[positions[0] - 1, positions[1]]
    own = np.full(dataset.prices.shape, np.nan)
    high, low = counted["high"].to_numpy(), counted["low"].to_numpy()
    own[positions] = (np.maximum(high, previous) - np.minimum(low, previous)) / previous
    own[known.halted] = np.nan
    equal = np.isclose(dataset.true_range, own, rtol=0.0, atol=_TOLERANCE, equal_nan=True)
    wrong: BoolArray = ~equal.all(axis=1)
    wrong[0] = False
    return wrong


def _rows_of_wrong_gaps_and_volumes(
    dataset: Dataset, bars: pd.DataFrame, known: _KnownPrices
) -> tuple[BoolArray, BoolArray]:
    of_date = bars.set_index(["trading_date", "symbol"])
    adjusted = of_date["open"] * of_date["adj_close"] / of_date["close"]
    usable = (of_date[["open", "close", "adj_close"]] > 0).all(axis=1) & np.isfinite(adjusted)
    traded = (of_date["volume"] > 0) & np.isfinite(of_date["volume"])
    opens, volumes = (
        values.unstack().reindex(pd.DatetimeIndex(dataset.dates), columns=list(dataset.symbols))
        for values in (adjusted.where(usable), of_date["volume"].where(traded))
    )
    without_news = ~known.has_bar | known.halted
    gaps = np.full(dataset.prices.shape, np.nan)
    gaps[1:] = np.log(opens.to_numpy(dtype=np.float64)[1:]) - np.log(known.last[:-1])
    equal = (
        np.isclose(
            found,
            np.where(without_news, np.nan, own),
            rtol=0.0,
            atol=_TOLERANCE,
            equal_nan=True,
        )
        for found, own in ((dataset.gap, gaps), (dataset.volume, volumes.to_numpy(np.float64)))
    )
    wrong_gaps, wrong_volumes = (np.asarray(~each.all(axis=1), dtype=np.bool_) for each in equal)
    # The price before the first row is not in the dataset.
    wrong_gaps[0] = False
    return wrong_gaps, wrong_volumes
