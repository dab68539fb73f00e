"""Past prices, for charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ARRAY, Connection, Text, bindparam, func, lateral, select, true

from roi_forecast.reading.views import price_history


@dataclass(frozen=True)
class PriceHistory:
    """Adjusted closes of one asset, oldest first; both have as many entries."""

    dates: tuple[date, ...]
    prices: tuple[float, ...]


def read_price_histories(
    connection: Connection, source: str, symbols: Sequence[str], bars: int, until: date
) -> dict[str, PriceHistory]:
    """Read the last bars of several assets at once.

    Args:
        connection: As `roi_reader`.
        source: Key of the source.
        symbols: The assets; one without a bar is left out of the result.
        bars: Most bars of each.
        until: No later bar is read.
    """
    wanted = (
        func.unnest(bindparam("symbols", list(symbols), ARRAY(Text)))
        .table_valued("symbol", name="wanted")
        .render_derived()
    )
    newest = lateral(
        select(price_history.c.trading_date, price_history.c.adj_close)
        .where(
            price_history.c.source == source,
            price_history.c.symbol == wanted.c.symbol,
            price_history.c.trading_date <= until,
        )
        .order_by(price_history.c.trading_date.desc())
        .limit(bars)
    ).alias("newest")
    rows = connection.execute(
        select(wanted.c.symbol, newest.c.trading_date, newest.c.adj_close)
        .select_from(wanted.join(newest, true()))
        .order_by(wanted.c.symbol, newest.c.trading_date)
    )
    bars_of: dict[str, list[tuple[date, float]]] = {}
    for symbol, day, price in rows:
        bars_of.setdefault(symbol, []).append((day, price))
    return {
        symbol: PriceHistory(tuple(day for day, _ in found), tuple(price for _, price in found))
        for symbol, found in bars_of.items()
    }
