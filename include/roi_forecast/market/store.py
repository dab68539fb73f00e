"""Writing bars to PostgreSQL and reading them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    MetaData,
    Select,
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
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, insert
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateTable

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.tables import assets, daily_prices
from roi_forecast.market.binary_copy import as_dates, binary_bars, read_binary_series
from roi_forecast.market.sources.source import BAR_COLUMNS
from roi_forecast.universe import Asset

ASSETS_A_BLOCK = 250
"""Assets whose bars are in memory at once, where they are read in blocks."""

_VALUE_COLUMNS = BAR_COLUMNS[1:]
_NO_NUMBER = cast(literal("NaN", Text), Double)
# One object for all calls, so that SQLAlchemy compiles the statements with it once.
_INCOMING = Table(
    "incoming_bars",
    MetaData(),
    *(Column(name, daily_prices.c[name].type) for name in ("symbol", *BAR_COLUMNS[:-1])),
    Column("volume", Double),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
# A table that a connection keeps: to create and drop one costs a call as much as to join its bars.
_CREATE_INCOMING = CreateTable(_INCOMING, if_not_exists=True)
# Half a million bars are then joined in one pass.
_JOIN_MEMORY = "64MB"


def register_assets(connection: Connection, known: Sequence[Asset]) -> None:
    """Insert the assets, or bring what is stored about them up to date."""
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
    """Insert bars, or change those whose values differ; ends with the caller's transaction.

    Runs that overlap wait for each other per symbol, and take the symbols in the same order, so
    neither fails nor deadlocks.

    Args:
        connection: With a transaction of the caller's.
        source: Key of the source.
        bars: Columns `symbol` and `BAR_COLUMNS`, each symbol and date once, no missing value but of
            `volume`.

    Returns:
        Number of rows inserted or changed.

    Raises:
        ValueError: A symbol and date come twice, or a value is missing.
    """
    if bars.empty:
        return 0
    bars = bars[["symbol", *BAR_COLUMNS]]
    complete = bars.drop(columns="volume").notna().all(axis=None)
    if bars.duplicated(["symbol", "trading_date"]).any() or not complete:
        raise ValueError("bars to store have to be complete, and one per symbol and trading date")
    for symbol in sorted(bars["symbol"].unique()):
        lock_until_commit(connection, daily_prices.name, source, symbol)

    connection.execute(_CREATE_INCOMING)
    # An earlier call in the same transaction left its bars.
    connection.execute(delete(_INCOMING))
    _copy_in(connection, _INCOMING, bars)
    connection.execute(select(func.set_config("work_mem", _JOIN_MEMORY, true())))
    same_bar = _same_bar(source, bars)
    _remove_differing(connection, same_bar)
    return _add(connection, source, same_bar)


def _remove_differing(connection: Connection, same_bar: ColumnElement[bool]) -> None:
    """Remove the stored bars whose values differ from the incoming ones, which are then added."""
    # PostgreSQL writes a new version of a row either way; many are added sooner than updated.
    stored = daily_prices.c
    differs = or_(*(stored[name].is_distinct_from(_incoming(name)) for name in _VALUE_COLUMNS))
    connection.execute(delete(daily_prices).where(same_bar, differs))


def _add(connection: Connection, source: str, same_bar: ColumnElement[bool]) -> int:
    """Insert the incoming bars that are not stored; return how many."""
    # The lock that the caller holds keeps others from adding the same in between.
    is_stored = select(daily_prices.c.symbol).where(same_bar).exists()
    new = (
        select(
            literal(source, daily_prices.c.source.type).label("source"),
            *map(_incoming, _INCOMING.columns.keys()),
            func.now(),
        )
        .where(~is_stored)
        .order_by(_INCOMING.c.symbol, _INCOMING.c.trading_date)
    )
    names = ["source", *_INCOMING.columns.keys(), "fetched_at"]
    return connection.execute(
        insert(daily_prices).from_select(names, new),
        execution_options={"preserve_rowcount": True},
    ).rowcount


def _incoming(name: str) -> ColumnElement[Any]:
    """Return an incoming value as it is stored: a volume that is no number is none."""
    column = _INCOMING.c[name]
    if name != "volume":
        return column
    return cast(func.nullif(column, _NO_NUMBER), daily_prices.c.volume.type)


def _same_bar(source: str, bars: pd.DataFrame) -> ColumnElement[bool]:
    stored = daily_prices.c
    first, last = bars["trading_date"].min().date(), bars["trading_date"].max().date()
    return and_(
        stored.source == source,
        stored.symbol == _INCOMING.c.symbol,
        stored.trading_date == _INCOMING.c.trading_date,
        # Said twice, so that the bars of other assets are not read to be joined with none.
        stored.symbol == any_(literal(bars["symbol"].unique().tolist(), ARRAY(Text))),
        stored.trading_date.between(first, last),
    )


def replace_bars(connection: Connection, source: str, symbol: str, bars: pd.DataFrame) -> int:
    """Make these the only stored bars of a symbol; ends with the caller's transaction.

    Args:
        connection: With a transaction of the caller's.
        source: Key of the source.
        symbol: Whose bars.
        bars: Columns `BAR_COLUMNS`, each date once, no missing value but of `volume`.

    Returns:
        Number of rows inserted, changed or removed.

    Raises:
        ValueError: As `upsert_bars`.
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


def first_and_last_date(connection: Connection, source: str, symbol: str) -> tuple[date, date]:
    """Return the first and the last trading date of a symbol that has stored bars."""
    first, last = connection.execute(
        select(func.min(daily_prices.c.trading_date), func.max(daily_prices.c.trading_date)).where(
            daily_prices.c.source == source, daily_prices.c.symbol == symbol
        )
    ).one()
    return first, last


def load_bars(
    connection: Connection,
    source: str,
    symbols: Sequence[str],
    start: date,
    end: date,
    values: Sequence[str] = _VALUE_COLUMNS,
) -> pd.DataFrame:
    """Read stored bars; nothing after `end` is looked at.

    Args:
        connection: Any connection.
        source: Key of the source.
        symbols: Whose bars.
        start: First trading date, inclusive.
        end: Last trading date, inclusive.
        values: Columns of `BAR_COLUMNS` to read beside symbol and date.

    Returns:
        Long form, shape (bars, 2 + values): `symbol`, `trading_date`, then the values as in
        `PriceSource.fetch`, sorted by symbol and date. Prices are in the asset's currency.
    """
    stored = StoredBars(connection, source, tuple(symbols), start, end, tuple(values))
    frames = list(stored) or [_as_frame({}, values)]
    bars: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return bars


def load_last_bars(
    connection: Connection,
    source: str,
    symbols: Sequence[str],
    before: date,
    values: Sequence[str] = _VALUE_COLUMNS,
) -> pd.DataFrame:
    """Read the last stored bar of each symbol before a date; nothing of that date or later.

    Args:
        connection: Any connection.
        source: Key of the source.
        symbols: Whose bars.
        before: The date.
        values: Columns of `BAR_COLUMNS` to read beside symbol and date.

    Returns:
        As `load_bars`; a symbol without an earlier bar has no row.
    """
    stored = daily_prices.c
    names_wanted = func.unnest(literal(list(symbols), ARRAY(Text)))
    wanted = names_wanted.table_valued("symbol", name="wanted").render_derived()
    names = ("trading_date", *values)
    # A search in the index for each symbol: a history may be long.
    last = (
        select(*(stored[name] for name in names))
        .where(
            stored.source == source,
            stored.symbol == wanted.c.symbol,
            stored.trading_date < before,
        )
        .order_by(stored.trading_date.desc())
        .limit(1)
        .lateral("last")
    )
    rows = connection.execute(
        select(wanted.c.symbol, *last.c).join_from(wanted, last, true()).order_by(wanted.c.symbol)
    )
    frame = pd.DataFrame(rows.all(), columns=["symbol", *names])
    kinds = {name: "int64" if name == "volume" else "float64" for name in values}
    return frame.astype({"symbol": "str", "trading_date": "datetime64[us]", **kinds})


@dataclass(frozen=True)
class StoredBars:
    """The bars that `load_bars` returns, as blocks of assets; each iteration reads them anew.

    Attributes:
        connection: Any connection; one whose transaction is repeatable reads the same each time.
        source: Key of the source.
        symbols: Whose bars.
        start: First trading date, inclusive.
        end: Last trading date, inclusive.
        values: Columns of `BAR_COLUMNS` to read beside symbol and date.
        block: Assets in one block at most.
    """

    connection: Connection
    source: str
    symbols: tuple[str, ...]
    start: date
    end: date
    values: tuple[str, ...] = _VALUE_COLUMNS
    block: int = ASSETS_A_BLOCK

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Give the frames, sorted by symbol and date; a block without any bar is left out."""
        names = sorted(set(self.symbols))
        for first in range(0, len(names), self.block):
            content = _copy_out(self.connection, self._series(names[first : first + self.block]))
            series = dict(read_binary_series(content, self.values))
            if series:
                yield _as_frame({name: series[name] for name in sorted(series)}, self.values)

    def _series(self, symbols: Sequence[str]) -> Select[Any]:
        """Return the query of one row a symbol: PostgreSQL and psycopg pay for rows, not bytes."""
        stored = daily_prices.c
        names = ("trading_date", *self.values)
        in_order = (
            func.array_agg(aggregate_order_by(_readable(stored[name]), stored.trading_date))
            for name in names
        )
        return (
            select(stored.symbol, *in_order)
            .where(
                stored.source == self.source,
                stored.symbol.in_(symbols),
                stored.trading_date.between(self.start, self.end),
            )
            .group_by(stored.symbol)
        )


def _readable(column: Column[Any]) -> ColumnElement[Any]:
    return func.coalesce(cast(column, Double), _NO_NUMBER) if column.nullable else column


def _as_frame(
    series: Mapping[str, Mapping[str, npt.NDArray[Any]]], values: Sequence[str]
) -> pd.DataFrame:
    counts = [len(own["trading_date"]) for own in series.values()]
    columns: dict[str, Any] = {"symbol": pd.array(list(series), dtype="str").repeat(counts)}
    for name in ("trading_date", *values):
        parts = [own[name] for own in series.values()]
        column = (
            np.concatenate(parts)
            if parts
            else np.empty(0, np.int32 if name == "trading_date" else float)
        )
        columns[name] = as_dates(column) if name == "trading_date" else column
    return pd.DataFrame(columns, copy=False)


def _copy_in(connection: Connection, table: Table, frame: pd.DataFrame) -> None:
    names = table.columns.keys()
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with _driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in binary_bars(frame, _VALUE_COLUMNS):
            copy.write(chunk)


def _copy_out(connection: Connection, query: Select[Any]) -> bytes:
    """Return the rows of a query as COPY writes them, far faster than as Python objects."""
    # COPY takes no parameters, so the values are rendered, quoted, into the query; with this
    # parameter style a per cent sign in a value is left as it is.
    dialect = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
    compiled = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(sql.SQL(str(compiled)))
    with _driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(copy)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
