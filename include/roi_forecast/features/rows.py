"""Aligning the bars of all assets to one row per reference session."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from roi_forecast.array_types import BoolArray, DateArray, FloatArray, MomentArray
from roi_forecast.errors import DatasetError
from roi_forecast.features.context import known_context, load_context_bars
from roi_forecast.features.movement import halted_rows
from roi_forecast.features.ranges import gaps_and_volumes, true_ranges
from roi_forecast.market.bars import Bars, blocks_of
from roi_forecast.market.reference_sessions import reference_sessions
from roi_forecast.market.stored_bars import StoredBars, load_last_bars
from roi_forecast.quoting import listed
from roi_forecast.universe import NO_CONTEXT, Asset, Context, Publish

logger = logging.getLogger(__name__)

MAX_LOST_SHARE = 0.1
"""Share of the rows that an asset may cost by starting late; one that costs more is left out."""

ROW_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")
"""Columns of a bar that rows are computed from, besides symbol and date."""

_MAX_NAMED = 5


@dataclass(frozen=True)
class PriceRows:
    """Carried prices, one row per reference session; every asset has a price in every row.

    Attributes:
        symbols: The assets, in column order.
        dates: Reference sessions, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets), in the asset's currency.
        filled: Whether the asset had no bar on the date or is halted, shape (rows, assets).
        true_range: See `true_ranges`, shape (rows, assets); NaN where the asset is halted, too.
        gap: Log ROI from the carried price of the previous row to the adjusted open, shape (rows,
            assets); NaN in the first row, where `filled`, and without a usable open.
        volume: Shares traded, shape (rows, assets); NaN where `filled` and without any.
        left_out: Assets whose prices start too late, with the reason.
        published_at: When the run with each as-of date publishes, shape (rows,), datetime64[s] in
            UTC; see `market.publication`.
        publish: How that time was chosen.
        context_symbols: The context assets, in column order.
        context: Context moves, shape (rows, context assets); see `KnownContext`.
        context_missing: Whether a promised bar is absent, shape (rows, context assets).
    """

    symbols: tuple[str, ...]
    dates: DateArray
    prices: FloatArray
    filled: BoolArray
    true_range: FloatArray
    gap: FloatArray
    volume: FloatArray
    left_out: dict[str, str]
    published_at: MomentArray
    publish: Publish
    context_symbols: tuple[str, ...]
    context: FloatArray
    context_missing: BoolArray

    def without_context(self, symbols: Collection[str]) -> PriceRows:
        """Return the rows without some context assets; the publication times stay."""
        kept = [place for place, symbol in enumerate(self.context_symbols) if symbol not in symbols]
        return replace(
            self,
            context_symbols=tuple(self.context_symbols[place] for place in kept),
            context=self.context[:, kept],
            context_missing=self.context_missing[:, kept],
        )


def load_rows(
    connection: Connection,
    source_key: str,
    assets: Sequence[Asset],
    start_date: date,
    as_of_date: date,
    max_lost_share: float = MAX_LOST_SHARE,
    *,
    carries_in: bool = False,
    context: Context = NO_CONTEXT,
) -> PriceRows:
    """Read the stored bars of the assets and align them; nothing after `as_of_date` is read.

    Only of context assets are later bars read; those that were final at the publication time of the
    last row count.

    Args:
        connection: Market database.
        source_key: Key of the price source.
        assets: See `align_rows`, as for the dates and the share.
        start_date: First date of a row.
        as_of_date: Last date read.
        max_lost_share: Largest share of the rows that an asset's late start may cost.
        carries_in: Whether an asset that did not trade on the first session carries in its last
            price from before `start_date`. Otherwise the rows of all assets begin where this one
            trades again, so that a row depends on how many rows are read.
        context: The context assets, from the same source, and when the run publishes.

    Raises:
        DatasetError: See `align_rows`.
    """
    symbols = tuple(asset.symbol for asset in assets)
    bars: Bars = StoredBars(connection, source_key, symbols, start_date, as_of_date, ROW_COLUMNS)
    if carries_in:
        last = load_last_bars(connection, source_key, symbols, start_date, ROW_COLUMNS)
        bars = _CarriedIn(bars, last)
    context_bars = load_context_bars(
        connection, source_key, assets, context, start_date, as_of_date
    )
    return align_rows(
        bars,
        assets,
        start_date,
        as_of_date,
        max_lost_share,
        context=context,
        context_bars=context_bars,
    )


def align_rows(
    bars: Bars,
    assets: Sequence[Asset],
    start_date: date,
    as_of_date: date,
    max_lost_share: float = MAX_LOST_SHARE,
    *,
    context: Context = NO_CONTEXT,
    context_bars: Bars | None = None,
) -> PriceRows:
    """Align bars to reference sessions; where a bar is missing, the last price is carried forward.

    Nothing comes from a later date: the rows start where every asset has had a price.

    Args:
        bars: Columns symbol, trading_date and ROW_COLUMNS; iterated over twice. Bars before
            `start_date` form no row, but their price is carried into the first rows.
        assets: The assets, in column order.
        start_date: First date of a row.
        as_of_date: Last date used.
        max_lost_share: Largest share of the rows that an asset's late start may cost; an asset that
            starts later is left out.
        context: The context assets, and when the run publishes.
        context_bars: Bars of the context assets; None: they are among `bars`. Those that were final
            at the publication time of the last row count, whatever their date.

    Raises:
        DatasetError: No asset or row remains, or the rows do not reach the as-of date.
    """
    usable = _UsableBars(bars)
    wanted = [asset.symbol for asset in assets]
    sessions = reference_sessions(usable, assets, start_date, as_of_date)
    if len(sessions) == 0:
        raise DatasetError(
            f"no prices for {listed(wanted, _MAX_NAMED)} from {start_date} to {as_of_date}; "
            "check the source and the dates"
        )
    carried = _carry(usable, wanted, sessions, as_of_date)
    has_price: BoolArray = ~np.isnan(carried.prices)
    first_row = has_price.argmax(axis=0)
    allowed = int(max_lost_share * len(sessions))
    left_out = {
        symbol: (
            f"its first price on {sessions[row].date()} would cost {row} of {len(sessions)} rows "
            f"(allowed: {allowed})"
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
    is_used = np.array([symbol not in left_out for symbol in wanted])
    if not is_used.any():
        raise DatasetError(f"no asset remains between {start_date} and {as_of_date}: {left_out}")
    start = int(first_row[is_used].max())
    if sessions[-1].date() != as_of_date:
        raise DatasetError(
            f"the prices end at {sessions[-1].date()}, before the as-of date {as_of_date}; "
            "extract them first or choose an earlier as_of_date"
        )
    halted = halted_rows(carried.prices)
    carried.filled[halted] = True
    for values in (carried.true_range, carried.gap, carried.volume):
        values[halted] = np.nan
    # A slice is a view, a selection of columns is a copy.
    columns = slice(None) if is_used.all() else is_used
    true_range = carried.true_range[start:, columns]
    gap = carried.gap[start:, columns]
    true_range[0] = gap[0] = np.nan
    dates = sessions[start:].to_numpy().astype("datetime64[D]")
    known = known_context(dates, assets, context, bars if context_bars is None else context_bars)
    return PriceRows(
        symbols=tuple(symbol for symbol in wanted if symbol not in left_out),
        dates=dates,
        prices=carried.prices[start:, columns],
        filled=carried.filled[start:, columns],
        true_range=true_range,
        gap=gap,
        volume=carried.volume[start:, columns],
        left_out=left_out,
        published_at=known.published_at,
        publish=context.publish,
        context_symbols=context.symbols,
        context=known.moves,
        context_missing=known.missing,
    )


def with_context(
    rows: PriceRows, assets: Sequence[Asset], context: Context, context_bars: Bars
) -> PriceRows:
    """Return rows with another context; see `known_context`."""
    known = known_context(rows.dates, assets, context, context_bars)
    return replace(
        rows,
        published_at=known.published_at,
        publish=context.publish,
        context_symbols=context.symbols,
        context=known.moves,
        context_missing=known.missing,
    )


@dataclass(frozen=True)
class _CarriedIn:
    """Blocks of bars, each with the earlier last bar of its assets."""

    bars: Bars
    last: pd.DataFrame

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for block in blocks_of(self.bars):
            own = self.last[self.last["symbol"].isin(block["symbol"].unique())]
            yield pd.concat([own, block], ignore_index=True)


@dataclass(frozen=True)
class _UsableBars:
    """Bars whose adjusted close is finite and positive."""

    bars: Bars

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for block in blocks_of(self.bars):
            is_usable = np.isfinite(block["adj_close"]) & (block["adj_close"] > 0)
            # Avoids a copy where every bar is usable.
            yield block if is_usable.all() else block[is_usable]


class _Carried(NamedTuple):
    """The arrays of `PriceRows` for all sessions and assets; NaN before an asset's first price."""

    prices: FloatArray
    filled: BoolArray
    true_range: FloatArray
    gap: FloatArray
    volume: FloatArray


def _carry(
    usable: _UsableBars,
    symbols: Sequence[str],
    sessions: pd.DatetimeIndex,
    as_of_date: date,
) -> _Carried:
    shape = len(sessions), len(symbols)
    carried = _Carried(
        np.full(shape, np.nan),
        np.ones(shape, dtype=np.bool_),
        *(np.full(shape, np.nan) for _ in range(3)),
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
        # Carried over all dates first, so that prices between reference sessions count.
        prices = table.reindex(table.index.union(sessions)).ffill().loc[sessions].to_numpy()
        carried.prices[:, columns] = prices
        carried.filled[:, columns] = table.reindex(sessions).isna().to_numpy()
        carried.true_range[:, columns] = true_ranges(block, own, dates, prices)
        gaps, volumes = gaps_and_volumes(block, own, dates, prices)
        carried.gap[:, columns], carried.volume[:, columns] = gaps, volumes
    return carried
