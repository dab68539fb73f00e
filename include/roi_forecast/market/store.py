"""Writing assets and bars to PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql
from sqlalchemy import BigInteger, Connection, Date, Text, delete, func, literal, or_
from sqlalchemy.dialects.postgresql import ARRAY, insert

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.tables import SCHEMA, assets, daily_prices
from roi_forecast.market.bars import REQUIRED_PRICES
from roi_forecast.market.binary_copy import (
    HEADER,
    TRAILER,
    Series,
    as_dates,
    binary_rows,
    series_of,
)
from roi_forecast.market.stored_bars import ASSETS_PER_BLOCK, VALUE_COLUMNS, load_series
from roi_forecast.universe import Asset

_WHOLE = tuple(name for name in VALUE_COLUMNS if isinstance(daily_prices.c[name].type, BigInteger))
_MAX_WHOLE = 2**63
_INCOMPLETE = "bars to store must be complete, and one per symbol and trading date"


def register_assets(connection: Connection, known: Sequence[Asset]) -> None:
    """Insert the assets, or update their stored attributes."""
    rows = [
        {
            "symbol": asset.symbol,
            "name": asset.name,
            "asset_class": asset.asset_class,
            "exchange": asset.exchange.name,
            "calendar": asset.exchange.calendar,
            "currency": asset.currency,
        }
        for asset in sorted(known, key=lambda asset: asset.symbol)
    ]
    statement = insert(assets)
    new = {c.name: statement.excluded[c.name] for c in assets.columns if not c.primary_key}
    differs = or_(*(assets.c[name].is_distinct_from(value) for name, value in new.items()))
    connection.execute(
        statement.on_conflict_do_update(index_elements=["symbol"], set_=new, where=differs), rows
    )


def upsert_bars(connection: Connection, source: str, bars: pd.DataFrame) -> int:
    """Insert bars, and update those whose values differ, in the caller's transaction.

    Overlapping runs wait for each other per symbol. They lock the symbols in the same order, so
    they do not deadlock.

    Args:
        connection: With a transaction.
        source: Key of the source.
        bars: Columns `symbol` and `BAR_COLUMNS`, each symbol and date once; `REQUIRED_PRICES` have
            no missing value.

    Returns:
        Number of rows inserted or changed.

    Raises:
        ValueError: A symbol and date occur twice, or a required price is missing.
    """
    if bars.empty:
        return 0
    if bars["trading_date"].isna().any():
        raise ValueError(_INCOMPLETE)
    series = dict(series_of(bars, VALUE_COLUMNS))
    for own in series.values():
        _require_storable(own)
    for symbol in series:
        lock_until_commit(connection, daily_prices.name, source, symbol)

    first, last = bars["trading_date"].min().date(), bars["trading_date"].max().date()
    new: dict[str, Series] = {}
    changed: list[tuple[str, date, date]] = []
    symbols = list(series)
    for begin in range(0, len(symbols), ASSETS_PER_BLOCK):
        names = symbols[begin : begin + ASSETS_PER_BLOCK]
        stored = load_series(connection, source, names, first, last)
        for symbol in names:
            new[symbol], ranges = _compare(series[symbol], stored.get(symbol))
            changed += [(symbol, *ends) for ends in ranges]
    # An update writes a new version of the row anyway; deleting and inserting many is faster.
    if changed:
        _delete(connection, source, changed)
    return _copy_in(connection, source, new)


def replace_bars(connection: Connection, source: str, symbol: str, bars: pd.DataFrame) -> int:
    """Make these bars the only stored ones of a symbol, in the caller's transaction.

    Args:
        connection: With a transaction.
        source: Key of the source.
        symbol: The asset.
        bars: Columns `BAR_COLUMNS`, each date once; `REQUIRED_PRICES` have no missing value.

    Returns:
        Number of rows inserted, changed or removed.

    Raises:
        ValueError: See `upsert_bars`.
    """
    changed = upsert_bars(connection, source, bars.assign(symbol=symbol))
    removed = connection.execute(
        delete(daily_prices).where(
            daily_prices.c.source == source,
            daily_prices.c.symbol == symbol,
            daily_prices.c.trading_date.not_in(bars["trading_date"].dt.date.tolist()),
        )
    ).rowcount
    return changed + removed


def _require_storable(own: Series) -> None:
    days, required = own["trading_date"], np.stack([own[name] for name in REQUIRED_PRICES])
    if (days[1:] == days[:-1]).any() or np.isnan(required).any():
        raise ValueError(_INCOMPLETE)
    for name in _WHOLE:
        if (np.abs(own[name]) >= _MAX_WHOLE).any():
            raise ValueError(f"the column {name} of bars to store must be below 2**63")


def _compare(given: Series, stored: Series | None) -> tuple[Series, list[tuple[date, date]]]:
    """Return the given bars that are not stored so, and the ranges of stored ones that differ.

    A range holds no stored bar that does not differ.
    """
    if stored is None:
        return given, []
    known = stored["trading_date"]
    places = np.minimum(np.searchsorted(known, given["trading_date"]), len(known) - 1)
    is_known = known[places] == given["trading_date"]
    differs = np.zeros(len(places), bool)
    for name in VALUE_COLUMNS:
        value = np.rint(given[name]) if name in _WHOLE else given[name]
        before = stored[name][places]
        differs |= (value != before) & ~(np.isnan(value) & np.isnan(before))
    is_changed = np.zeros(len(known) + 2, np.int8)
    is_changed[places[is_known & differs] + 1] = 1
    edges = np.flatnonzero(np.diff(is_changed))
    days = as_dates(known).astype("datetime64[D]").tolist()
    ranges = [(days[begin], days[end - 1]) for begin, end in edges.reshape(-1, 2).tolist()]
    wanted = ~is_known | differs
    return {name: column[wanted] for name, column in given.items()}, ranges


def _delete(connection: Connection, source: str, ranges: Sequence[tuple[str, date, date]]) -> None:
    symbols, firsts, lasts = (list(part) for part in zip(*ranges, strict=True))
    changed = (
        func.unnest(
            literal(symbols, ARRAY(Text)), literal(firsts, ARRAY(Date)), literal(lasts, ARRAY(Date))
        )
        .table_valued("symbol", "first", "last", name="changed")
        .render_derived()
    )
    stored = daily_prices.c
    connection.execute(
        delete(daily_prices).where(
            stored.source == source,
            stored.symbol == changed.c.symbol,
            stored.trading_date.between(changed.c.first, changed.c.last),
        )
    )


def _copy_in(connection: Connection, source: str, new: Mapping[str, Series]) -> int:
    """Insert bars that are not stored, and return their number."""
    count = sum(len(own["trading_date"]) for own in new.values())
    if not count:
        return 0
    columns = ["source", "symbol", "trading_date", *VALUE_COLUMNS]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(SCHEMA, daily_prices.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for symbol, own in new.items():
            for rows in binary_rows((source, symbol), own, _WHOLE):
                copy.write(rows)
        copy.write(TRAILER)
    return count
