"""Past prices, for charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    ARRAY,
    Connection,
    Text,
    bindparam,
    func,
    lateral,
    select,
    true,
)

from roi_forecast.database.views import view_columns
from roi_forecast.reading.pagination import Record, row_of


@row_of("prices", "symbol", "-trading_date", "source")
class Price(Record):
    """A stored daily bar of an asset, newest first."""

    symbol: str
    trading_date: date
    open: float | None
    high: float | None
    low: float | None
    close: float
    adj_close: float
    volume: int | None
    currency: str | None
    source: str
    simulated: bool
    fetched_at: datetime


_prices = view_columns("prices", "source", "symbol", "trading_date", "adj_close", "currency")


@dataclass(frozen=True)
class PriceHistory:
    """Adjusted closes of one asset by date, oldest first."""

    dates: tuple[date, ...]
    prices: tuple[float, ...]


def read_price_histories(
    connection: Connection,
    source: str,
    symbols: Sequence[str],
    bars: int | None = None,
    until: date = date.max,
) -> dict[str, PriceHistory]:
    """Read the last bars of several assets at once.

    Args:
        connection: As `roi_reader`.
        source: Key of the source.
        symbols: The assets; the result lacks those without a bar.
        bars: Maximum number of bars per asset; None: all.
        until: No later bar is read.
    """
    wanted = (
        func.unnest(bindparam("symbols", list(symbols), ARRAY(Text)))
        .table_valued("symbol", name="wanted")
        .render_derived()
    )
    price = _prices.c
    newest = lateral(
        select(price.trading_date, price.adj_close)
        .where(
            price.source == source,
            price.symbol == wanted.c.symbol,
            price.trading_date <= until,
        )
        .order_by(price.trading_date.desc())
        .limit(bars)
    ).alias("newest")
    rows = connection.execute(
        select(wanted.c.symbol, newest.c.trading_date, newest.c.adj_close)
        .select_from(wanted.join(newest, true()))
        .order_by(wanted.c.symbol, newest.c.trading_date)
    )
    bars_of: dict[str, list[tuple[date, float]]] = {}
    for symbol, day, price_of_day in rows:
        bars_of.setdefault(symbol, []).append((day, price_of_day))
    return {
        symbol: PriceHistory(tuple(day for day, _ in found), tuple(price for _, price in found))
        for symbol, found in bars_of.items()
    }


def read_currency(connection: Connection, source: str, symbol: str) -> str | None:
    """Return the currency of an asset's prices: an ISO 4217 code or GBp; None if there are none."""
    price = _prices.c
    asked = select(price.currency).where(price.source == source, price.symbol == symbol).limit(1)
    return connection.execute(asked).scalar()
