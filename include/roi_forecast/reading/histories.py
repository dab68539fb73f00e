"""Past prices, for charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

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

_price_history = view_columns("price_history", "source", "symbol", "trading_date", "adj_close")


@dataclass(frozen=True)
class PriceHistory:
    """Adjusted closes of one asset by date, oldest first."""

    dates: tuple[date, ...]
    prices: tuple[float, ...]


def read_price_histories(
    connection: Connection, source: str, symbols: Sequence[str], bars: int, until: date
) -> dict[str, PriceHistory]:
    """Read the last bars of several assets at once.

    Args:
        connection: As `roi_reader`.
        source: Key of the source.
        symbols: The assets; the result lacks those without a bar.
        bars: Maximum number of bars per asset.
        until: No later bar is read.
    """
    wanted = (
        func.unnest(bindparam("symbols", list(symbols), ARRAY(Text)))
        .table_valued("symbol", name="wanted")
        .render_derived()
    )
    price = _price_history.c
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
