"""From bars of single assets to one row per reference session."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection

from roi_forecast.errors import DatasetError
from roi_forecast.features.ranges import true_ranges
from roi_forecast.features.scaling import FloatArray
from roi_forecast.market.calendars import reference_sessions
from roi_forecast.market.store import load_bars
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

ROW_COLUMNS = ("high", "low", "close", "adj_close")
"""What rows are made of, beside symbol and date."""


@dataclass(frozen=True)
class PriceRows:
    """Carried prices, one row per reference session; every asset has a price in every row.

    Attributes:
        symbols: The assets, in column order.
        dates: Reference sessions, shape (rows,), datetime64[D].
        prices: Carried adjusted close, shape (rows, assets), in the asset's currency.
        filled: Whether the asset had no bar on that date, shape (rows, assets).
        true_range: See `true_ranges`, shape (rows, assets), a fraction; NaN without a bar.
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
    max_lost_share: float,
) -> PriceRows:
    """Read the stored bars of the assets and align them; nothing after `as_of_date` is read.

    Raises:
        DatasetError: As `align_rows`.
    """
    symbols = [asset.symbol for asset in assets]
    bars = load_bars(connection, source_key, symbols, start_date, as_of_date, ROW_COLUMNS)
    return align_rows(bars, assets, start_date, as_of_date, max_lost_share)


def align_rows(
    bars: pd.DataFrame,
    assets: Sequence[Asset],
    start_date: date,
    as_of_date: date,
    max_lost_share: float,
) -> PriceRows:
    """Put bars into rows of reference sessions; a missing bar carries the last price forward.

    Nothing is ever taken from a later date: the rows start where every asset has had a price.

    Args:
        bars: Long frame with symbol, trading_date, high, low, close and adj_close.
        assets: The assets, in the order of the columns.
        start_date: First date of a row.
        as_of_date: Last date that is looked at.
        max_lost_share: An asset whose first price comes after this share of the rows is left out.

    Raises:
        DatasetError: No asset or no row is left, or the rows do not reach the as-of date.
    """
    is_usable = np.isfinite(bars["adj_close"]) & (bars["adj_close"] > 0)
    # Bars of thousands of assets are not copied for nothing.
    usable = bars if is_usable.all() else bars[is_usable]
    table = usable.pivot(index="trading_date", columns="symbol", values="adj_close")
    table.index = pd.DatetimeIndex(table.index)
    table = table.loc[pd.Timestamp(start_date) : pd.Timestamp(as_of_date)].sort_index()
    sessions = reference_sessions(usable, assets, start_date, as_of_date)
    if len(sessions) == 0:
        raise DatasetError(
            f"no prices for {_named(assets)} from {start_date} to {as_of_date}; "
            "check the source and the dates"
        )
    wanted = [asset.symbol for asset in assets]
    own = table.reindex(columns=wanted)
    # Carried over all dates first: a price of a date that is no reference session counts too.
    carried = own.reindex(own.index.union(sessions)).ffill().loc[sessions]
    first_row = carried.notna().to_numpy().argmax(axis=0)
    has_price = carried.notna().any(axis=0).to_numpy()
    allowed = int(max_lost_share * len(sessions))
    left_out = {
        symbol: (
            f"its first price is of {sessions[row].date()}, which would cost {row} of "
            f"{len(sessions)} rows (allowed: {allowed})"
            if present
            else "it has no price in the period"
        )
        for symbol, row, present in zip(wanted, first_row, has_price, strict=True)
        if not present or row > allowed
    }
    for symbol, reason in left_out.items():
        logger.warning("%s is left out: %s", symbol, reason)
    kept = [symbol for symbol in wanted if symbol not in left_out]
    if not kept:
        raise DatasetError(f"no asset is left between {start_date} and {as_of_date}: {left_out}")
    start = max(row for symbol, row in zip(wanted, first_row, strict=True) if symbol in kept)
    sessions = sessions[start:]
    if sessions[-1].date() != as_of_date:
        raise DatasetError(
            f"the prices end at {sessions[-1].date()}, before the as-of date {as_of_date}; "
            "extract them first or name an earlier as_of_date"
        )
    symbols = tuple(kept)
    dates = sessions.to_numpy().astype("datetime64[D]")
    prices = carried[kept].iloc[start:].to_numpy(dtype=np.float64)
    return PriceRows(
        symbols=symbols,
        dates=dates,
        prices=prices,
        filled=own[kept].reindex(sessions).isna().to_numpy(),
        true_range=true_ranges(usable, symbols, dates, prices),
        left_out=left_out,
    )


def _named(assets: Sequence[Asset]) -> str:
    names = [asset.symbol for asset in assets]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
