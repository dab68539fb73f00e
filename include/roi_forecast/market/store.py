"""Writing assets and bars to PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from psycopg import sql
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    MetaData,
    Table,
    Text,
    and_,
    any_,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.schema import CreateTable

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.tables import assets, daily_prices
from roi_forecast.market.bars import BAR_COLUMNS, REQUIRED_PRICES
from roi_forecast.market.binary_copy import binary_bars
from roi_forecast.market.stored_bars import NOT_A_NUMBER, VALUE_COLUMNS
from roi_forecast.universe import Asset

# One object for all calls, so that SQLAlchemy compiles the statements with it once.
_INCOMING = Table(
    "incoming_bars",
    MetaData(),
    *(Column(name, daily_prices.c[name].type) for name in ("symbol", *BAR_COLUMNS[:-1])),
    Column("volume", Double),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
# The connection keeps the table: creating and dropping one takes as long as joining its bars.
_CREATE_INCOMING = CreateTable(_INCOMING, if_not_exists=True)
# Enough to join half a million bars in one pass.
_JOIN_MEMORY = "64MB"


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
    bars = bars[["symbol", *BAR_COLUMNS]]
    complete = bars[["symbol", "trading_date", *REQUIRED_PRICES]].notna().all(axis=None)
    if bars.duplicated(["symbol", "trading_date"]).any() or not complete:
        raise ValueError("bars to store must be complete, and one per symbol and trading date")
    for symbol in sorted(bars["symbol"].unique()):
        lock_until_commit(connection, daily_prices.name, source, symbol)

    connection.execute(_CREATE_INCOMING)
    # Removes the bars of an earlier call in the same transaction.
    connection.execute(delete(_INCOMING))
    _copy_in(connection, bars)
    connection.execute(select(func.set_config("work_mem", _JOIN_MEMORY, true())))
    same_bar = _same_bar(source, bars)
    # An update writes a new version of the row anyway; deleting and inserting many is faster.
    stored = daily_prices.c
    differs = or_(*(stored[name].is_distinct_from(_incoming(name)) for name in VALUE_COLUMNS))
    connection.execute(delete(daily_prices).where(same_bar, differs))
    return _insert_absent(connection, source, same_bar)


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


def _insert_absent(connection: Connection, source: str, same_bar: ColumnElement[bool]) -> int:
    """Insert the incoming bars that are not stored, and return their number."""
    # The caller's lock keeps others from inserting the same bars in between.
    is_stored = select(daily_prices.c.symbol).where(same_bar).exists()
    names = _INCOMING.columns.keys()
    new = (
        select(
            literal(source, daily_prices.c.source.type).label("source"),
            *map(_incoming, names),
            func.now(),
        )
        .where(~is_stored)
        .order_by(_INCOMING.c.symbol, _INCOMING.c.trading_date)
    )
    return connection.execute(
        insert(daily_prices).from_select(["source", *names, "fetched_at"], new),
        execution_options={"preserve_rowcount": True},
    ).rowcount


def _incoming(name: str) -> ColumnElement[Any]:
    """Return an incoming value as it is stored: one of NaN becomes NULL."""
    column, stored = _INCOMING.c[name], daily_prices.c[name]
    return cast(func.nullif(column, NOT_A_NUMBER), stored.type) if stored.nullable else column


def _same_bar(source: str, bars: pd.DataFrame) -> ColumnElement[bool]:
    stored = daily_prices.c
    first, last = bars["trading_date"].min().date(), bars["trading_date"].max().date()
    return and_(
        stored.source == source,
        stored.symbol == _INCOMING.c.symbol,
        stored.trading_date == _INCOMING.c.trading_date,
        # Redundant, but keeps PostgreSQL from reading the bars of other assets and dates.
        stored.symbol == any_(literal(bars["symbol"].unique().tolist(), ARRAY(Text))),
        stored.trading_date.between(first, last),
    )


def _copy_in(connection: Connection, bars: pd.DataFrame) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(_INCOMING.name),
        sql.SQL(", ").join(map(sql.Identifier, _INCOMING.columns.keys())),
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in binary_bars(bars, VALUE_COLUMNS):
            copy.write(chunk)
