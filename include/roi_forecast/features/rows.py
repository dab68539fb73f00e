"""From bars of single assets to one row per reference session."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection

from roi_forecast.errors import DatasetError
from roi_forecast.features.movement import halted_rows
from roi_forecast.features.ranges import true_ranges
from roi_forecast.features.scaling import FloatArray
from roi_forecast.market.blocks import Bars, blocks_of
from roi_forecast.market.calendars import reference_sessions
from roi_forecast.market.store import StoredBars, load_last_bars
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

MAX_LOST_SHARE = 0.1
"""Share of the rows that an asset may cost by starting late; one that costs more is left out."""

ROW_COLUMNS = ("high", "low", "close", "adj_close")
"""What rows are made of, beside symbol and date."""


@dataclass(frozen=True)
class PriceRows:
    """Carried prices, one row per reference session; every asset has a price in every row.

    Attributes:
        symbols: The assets, in column order.
        dates: Reference sessions, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets), in the asset's currency.
        filled: Whether the date says nothing new of the asset, shape (rows, assets): it had no bar,
            or it is halted, see `halted_rows`.
        true_range: See `true_ranges`, shape (rows, assets), a fraction; NaN without a bar and where
            the asset is halted.
        left_out: Assets that started too late, with the reason.
    """

    symbols: tuple[str, ...]
    dates: npt.NDArray[np.datetime64]
    prices: FloatArray
    filled: npt.NDArray[np.bool_]
    true_range: FloatArray
    left_out: dict[str, str]


def load_rows(
    connection: Connection,
    source_key: str,
    assets: Sequence[Asset],
    start_date: date,
    as_of_date: date,
    max_lost_share: float = MAX_LOST_SHARE,
    *,
    carries_in: bool = False,
) -> PriceRows:
    """Read the stored bars of the assets and align them; nothing after `as_of_date` is read.

    Args:
        connection: Market database.
        source_key: Whose prices.
        assets: As `align_rows`, like the dates and the share.
        start_date: First date of a row.
        as_of_date: Last date that is read.
        max_lost_share: An asset that would cost more than this share of the rows is left out.
        carries_in: Whether an asset that did not trade on the first session brings its last price
            along from before `start_date`. Without it the rows of all assets begin where that one
            trades again: a row then depends on how many others are read.

    Raises:
        DatasetError: As `align_rows`.
    """
    symbols = tuple(asset.symbol for asset in assets)
    bars: Bars = StoredBars(connection, source_key, symbols, start_date, as_of_date, ROW_COLUMNS)
    if carries_in:
        last = load_last_bars(connection, source_key, symbols, start_date, ROW_COLUMNS)
        bars = _CarriedIn(bars, last)
    return align_rows(bars, assets, start_date, as_of_date, max_lost_share)


def align_rows(
    bars: Bars,
    assets: Sequence[Asset],
    start_date: date,
    as_of_date: date,
    max_lost_share: float = MAX_LOST_SHARE,
) -> PriceRows:
    """Put bars into rows of reference sessions; a missing bar carries the last price forward.

    Nothing is ever taken from a later date: the rows start where every asset has had a price.

    Args:
        bars: Columns symbol, trading_date, high, low, close and adj_close; iterated over twice.
            A bar before `start_date` is no row, but its price is carried into the first ones.
        assets: The assets, in the order of the columns.
        start_date: First date of a row.
        as_of_date: Last date that is looked at.
        max_lost_share: An asset that would cost more than this share of the rows is left out.

    Raises:
        DatasetError: No asset or no row is left, or the rows do not reach the as-of date.
    """
    usable = _UsableBars(bars)
    sessions = reference_sessions(usable, assets, start_date, as_of_date)
    if len(sessions) == 0:
        raise DatasetError(
            f"no prices for {_named(assets)} from {start_date} to {as_of_date}; "
            "check the source and the dates"
        )
    wanted = [asset.symbol for asset in assets]
    carried = _carry(usable, wanted, sessions, as_of_date)
    has_price: npt.NDArray[np.bool_] = ~np.isnan(carried.prices)
    first_row = has_price.argmax(axis=0)
    allowed = int(max_lost_share * len(sessions))
    left_out = {
        symbol: (
            f"its first price is of {sessions[row].date()}, which would cost {row} of "
            f"{len(sessions)} rows (allowed: {allowed})"
            if present
            else "it has no price in the period"
        )
        for symbol, row, present in zip(
            wanted, first_row.tolist(), (has_price.sum(axis=0) > 0).tolist(), strict=True
        )
        if not present or row > allowed
    }
    for symbol, reason in left_out.items():
        logger.warning("%s is left out: %s", symbol, reason)
    is_kept = np.array([symbol not in left_out for symbol in wanted])
    if not is_kept.any():
        raise DatasetError(f"no asset is left between {start_date} and {as_of_date}: {left_out}")
    start = int(first_row[is_kept].max())
    if sessions[-1].date() != as_of_date:
        raise DatasetError(
            f"the prices end at {sessions[-1].date()}, before the as-of date {as_of_date}; "
            "extract them first or name an earlier as_of_date"
        )
    halted = halted_rows(carried.prices)
    carried.filled[halted] = True
    carried.true_range[halted] = np.nan
    # A slice takes no memory, where a choice of columns does.
    columns = slice(None) if is_kept.all() else is_kept
    true_range = carried.true_range[start:, columns]
    true_range[0] = np.nan
    return PriceRows(
        symbols=tuple(symbol for symbol in wanted if symbol not in left_out),
        dates=sessions[start:].to_numpy().astype("datetime64[D]"),
        prices=carried.prices[start:, columns],
        filled=carried.filled[start:, columns],
        true_range=true_range,
        left_out=left_out,
    )


@dataclass(frozen=True)
class _CarriedIn:
    """Blocks of bars, each with the last bar of its assets from before the blocks' first date."""

    bars: Bars
    last: pd.DataFrame

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for block in blocks_of(self.bars):
            own = self.last[self.last["symbol"].isin(block["symbol"].unique())]
            yield pd.concat([own, block], ignore_index=True)


@dataclass(frozen=True)
class _UsableBars:
    """Bars without those whose adjusted close cannot be one."""

    bars: Bars

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for block in blocks_of(self.bars):
            is_usable = np.isfinite(block["adj_close"]) & (block["adj_close"] > 0)
            # Bars of many assets are not copied for nothing.
            yield block if is_usable.all() else block[is_usable]


class _Carried(NamedTuple):
    """The arrays of `PriceRows` for all sessions and assets; no price before an asset's first."""

    prices: FloatArray
    filled: npt.NDArray[np.bool_]
    true_range: FloatArray


def _carry(
    usable: _UsableBars,
    symbols: Sequence[str],
    sessions: pd.DatetimeIndex,
    as_of_date: date,
) -> _Carried:
    shape = len(sessions), len(symbols)
    carried = _Carried(
        np.full(shape, np.nan), np.ones(shape, dtype=np.bool_), np.full(shape, np.nan)
    )
    column_of = {symbol: column for column, symbol in enumerate(symbols)}
    dates = sessions.to_numpy().astype("datetime64[D]")
    for block in usable:
        table = block.pivot(index="trading_date", columns="symbol", values="adj_close")
        table.index = pd.DatetimeIndex(table.index)
        table = table.sort_index().loc[: pd.Timestamp(as_of_date)]
        own = tuple(symbol for symbol in table.columns if symbol in column_of)
        columns = [column_of[symbol] for symbol in own]
        table = table[list(own)]
        # Carried over all dates first: a price of a date that is no reference session counts too.
        prices = table.reindex(table.index.union(sessions)).ffill().loc[sessions].to_numpy()
        carried.prices[:, columns] = prices
        carried.filled[:, columns] = table.reindex(sessions).isna().to_numpy()
        carried.true_range[:, columns] = true_ranges(block, own, dates, prices)
    return carried


def _named(assets: Sequence[Asset]) -> str:
    names = [asset.symbol for asset in assets]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
