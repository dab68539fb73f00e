"""Context moves: what became known of the context assets between two publication times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from roi_forecast.array_types import BoolArray, DateArray, FloatArray, MomentArray
from roi_forecast.market.bars import Bars, blocks_of
from roi_forecast.market.calendars import LONGEST_BREAK, session_on_or_before, sessions
from roi_forecast.market.missing_columns import CONTEXT_COLUMNS
from roi_forecast.market.publication import final_at, published_at
from roi_forecast.market.stored_bars import load_bars, load_last_bars
from roi_forecast.universe import Asset, Context, reference_exchange


@dataclass(frozen=True)
class KnownContext:
    """What the context said by the publication time of each row.

    Attributes:
        published_at: Shape (rows,), datetime64[s] in UTC.
        moves: Log ROI from the last bar that was final at the previous publication time to the
            last one that was at this one, shape (rows, context assets), unscaled; 0 without a new
            bar or an earlier one.
        missing: Whether a bar that the asset's calendar promises by then is absent, same shape.
    """

    published_at: MomentArray
    moves: FloatArray
    missing: BoolArray


def known_context(
    dates: DateArray, assets: Sequence[Asset], context: Context, bars: Bars
) -> KnownContext:
    """Compute the publication times and the context moves of rows; missing bars raise nothing.

    Args:
        dates: As-of dates of the rows, shape (rows,), datetime64[D].
        assets: The assets that decide when the run publishes.
        context: The context assets, and `publish`.
        bars: Columns symbol, trading_date and adj_close, of the context assets at least. One that
            is not final at the publication time of the last row does not count.
    """
    before = session_on_or_before(reference_exchange(assets), dates[0].item() - timedelta(days=1))
    with_before = np.concatenate([np.array([before], dtype="datetime64[D]"), dates])
    published = published_at(with_before, assets, context)
    moves, missing = context_moves(published, context.assets, bars)
    return KnownContext(published[1:], moves, missing)


def load_context_bars(
    connection: Connection,
    source_key: str,
    assets: Sequence[Asset],
    context: Context,
    start_date: date,
    as_of_date: date,
) -> pd.DataFrame:
    """Read the context assets' bars up to the publication time of the last row.

    That may be days after the as-of date. Bars of the last day that are final only later are read,
    too: `known_context` ignores them.

    Args:
        connection: Market database.
        source_key: Key of the price source.
        assets: The assets that decide when the run publishes.
        context: The context assets, and `publish`.
        start_date: First date of a row.
        as_of_date: Date of the last row.
    """
    symbols, first = context.symbols, start_date - LONGEST_BREAK
    last_row = np.array([as_of_date], dtype="datetime64[D]")
    published: datetime = published_at(last_row, assets, context)[0].item()
    # Time zones are up to 14 hours ahead.
    last = published.date() + timedelta(days=1)
    return pd.concat(
        [
            load_last_bars(connection, source_key, symbols, first, CONTEXT_COLUMNS),
            load_bars(connection, source_key, symbols, first, last, CONTEXT_COLUMNS),
        ],
        ignore_index=True,
    )


def context_moves(
    published: MomentArray, assets: Sequence[Asset], bars: Bars
) -> tuple[FloatArray, BoolArray]:
    """Compute the context moves between publication times.

    Args:
        published: Publication times of the row before the first one and of the rows, ascending,
            shape (1 + rows,), datetime64[s] in UTC.
        assets: The context assets, in column order.
        bars: See `known_context`.

    Returns:
        `moves` and `missing` of `KnownContext`.
    """
    shape = len(published) - 1, len(assets)
    moves, missing = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    closes = _closes_by_symbol(bars, {asset.symbol for asset in assets})
    for column, asset in enumerate(assets):
        own = closes.get(asset.symbol)
        days = np.empty(0, "datetime64[D]") if own is None else own.index.to_numpy()
        days = days.astype("datetime64[D]")
        # Bars final by each publication time; the first level stands for none at all.
        known = np.searchsorted(final_at(asset.exchange, days), published, side="right")
        levels = np.log(np.concatenate([[1.0], [] if own is None else own.to_numpy()]))
        moves[:, column] = np.where(known[:-1] > 0, np.diff(levels[known]), 0.0)
        newest = np.concatenate([[np.datetime64("NaT", "D")], days])[known[1:]]
        promised = _promised(asset, published[1:])
        missing[:, column] = np.isnat(newest) | (newest < promised)
    return moves, missing


def _promised(asset: Asset, published: MomentArray) -> DateArray:
    """Return the newest session of an asset whose bar is final by each publication time."""
    first, last = (published[row].astype("datetime64[D]").item() for row in (0, -1))
    days = sessions(asset.exchange, first - LONGEST_BREAK, last + timedelta(days=1))
    held = days.to_numpy().astype("datetime64[D]")
    known = np.searchsorted(final_at(asset.exchange, held), published, side="right")
    promised: DateArray = held[known - 1]
    return promised


def _closes_by_symbol(bars: Bars, symbols: set[str]) -> dict[str, pd.Series[float]]:
    """Return the usable adjusted closes of some symbols, by ascending date."""
    closes: dict[str, pd.Series[float]] = {}
    for block in blocks_of(bars):
        close = block["adj_close"]
        used = block[block["symbol"].isin(symbols) & np.isfinite(close) & (close > 0)]
        for symbol, own in used.groupby("symbol"):
            closes[str(symbol)] = own.set_index("trading_date")["adj_close"].sort_index()
    return closes
