"""Reading bars from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Double,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from roi_forecast.database.tables import daily_prices
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.binary_copy import Series, as_dates, read_binary_series

ASSETS_PER_BLOCK = 250
"""Assets whose bars are in memory at once when they are read in blocks."""

VALUE_COLUMNS = BAR_COLUMNS[1:]
NOT_A_NUMBER = cast(literal("NaN", Text), Double)


@dataclass(frozen=True)
class StoredBars:
    """The bars that `load_bars` returns, in blocks of assets; each iteration reads them again.

    Attributes:
        connection: Any connection; in a repeatable-read transaction each iteration is the same.
        source: Key of the source.
        symbols: The assets.
        start: First trading date, inclusive.
        end: Last trading date, inclusive.
        values: Columns of `BAR_COLUMNS` to read besides symbol and date.
        block: Maximum number of assets per block.
    """

    connection: Connection
    source: str
    symbols: tuple[str, ...]
    start: date
    end: date
    values: tuple[str, ...] = VALUE_COLUMNS
    block: int = ASSETS_PER_BLOCK

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Yield frames sorted by symbol and date; a block without any bar is skipped."""
        names = sorted(set(self.symbols))
        for first in range(0, len(names), self.block):
            own = names[first : first + self.block]
            series = load_series(
                self.connection, self.source, own, self.start, self.end, self.values
            )
            if series:
                yield _as_frame({name: series[name] for name in sorted(series)}, self.values)


def load_bars(
    connection: Connection,
    source: str,
    symbols: Sequence[str],
    start: date,
    end: date,
    values: Sequence[str] = VALUE_COLUMNS,
) -> pd.DataFrame:
    """Read stored bars; nothing after `end` is read.

    Args:
        connection: Any connection.
        source: Key of the source.
        symbols: The assets.
        start: First trading date, inclusive.
        end: Last trading date, inclusive.
        values: Columns of `BAR_COLUMNS` to read besides symbol and date.

    Returns:
        Long form, shape (bars, 2 + values): `symbol`, `trading_date`, then the values as in
        `PriceSource.fetch`, sorted by symbol and date. Prices are in the asset's currency.
    """
    stored = StoredBars(connection, source, tuple(symbols), start, end, tuple(values))
    frames = list(stored) or [_as_frame({}, values)]
    bars: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return bars


def load_series(
    connection: Connection,
    source: str,
    symbols: Sequence[str],
    start: date,
    end: date,
    values: Sequence[str] = VALUE_COLUMNS,
) -> dict[str, Series]:
    """Read the bars of a few hundred symbols; arguments as of `load_bars`.

    Returns:
        The series of each symbol that has bars, by date.
    """
    copy_out, parameters = _copy_series(tuple(values))
    given = {"source": source, "symbols": list(symbols), "start": start, "end": end}
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(copy_out, {**parameters, **given}) as copy:
        return dict(read_binary_series(b"".join(copy), values))


def load_last_bars(
    connection: Connection,
    source: str,
    symbols: Sequence[str],
    before: date,
    values: Sequence[str] = VALUE_COLUMNS,
) -> pd.DataFrame:
    """Read the last stored bar of each symbol before a date.

    Args:
        connection: Any connection.
        source: Key of the source.
        symbols: The assets.
        before: The date; nothing of that date or later is read.
        values: Columns of `BAR_COLUMNS` to read besides symbol and date.

    Returns:
        As `load_bars`; a symbol without an earlier bar has no row.
    """
    stored = daily_prices.c
    unnested = func.unnest(literal(list(symbols), ARRAY(Text)))
    wanted = unnested.table_valued("symbol", name="wanted").render_derived()
    names = ("trading_date", *values)
    # One index search per symbol: a history may be long.
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
    # A value is null where the source gave none.
    types = dict.fromkeys(values, "float64")
    return frame.astype({"symbol": "str", "trading_date": "datetime64[us]", **types})


def first_and_last_date(connection: Connection, source: str, symbol: str) -> tuple[date, date]:
    """Return the first and the last trading date of a symbol that has stored bars."""
    first, last = connection.execute(
        select(func.min(daily_prices.c.trading_date), func.max(daily_prices.c.trading_date)).where(
            daily_prices.c.source == source, daily_prices.c.symbol == symbol
        )
    ).one()
    return first, last


def _readable(column: Column[Any]) -> ColumnElement[Any]:
    return func.coalesce(cast(column, Double), NOT_A_NUMBER) if column.nullable else column


def _as_frame(series: Mapping[str, Series], values: Sequence[str]) -> pd.DataFrame:
    counts = [len(own["trading_date"]) for own in series.values()]
    columns: dict[str, Any] = {"symbol": pd.array(list(series), dtype="str").repeat(counts)}
    for name in ("trading_date", *values):
        is_date = name == "trading_date"
        parts = [own[name] for own in series.values()]
        column = np.concatenate(parts or [np.empty(0, np.int32 if is_date else np.float64)])
        columns[name] = as_dates(column) if is_date else column
    return pd.DataFrame(columns, copy=False)


@cache
def _copy_series(values: tuple[str, ...]) -> tuple[sql.Composed, dict[str, Any]]:
    """Return a COPY in the binary format, far faster than rows as Python objects.

    COPY takes no parameters: psycopg writes them into the statement.
    """
    stored = daily_prices.c
    # One row per symbol: rows cost PostgreSQL and psycopg time.
    in_order = (
        func.array_agg(aggregate_order_by(_readable(stored[name]), stored.trading_date))
        for name in ("trading_date", *values)
    )
    query = (
        select(stored.symbol, *in_order)
        .where(
            stored.source == bindparam("source", type_=Text),
            stored.symbol == any_(bindparam("symbols", type_=ARRAY(Text))),
            stored.trading_date.between(
                bindparam("start", type_=Date), bindparam("end", type_=Date)
            ),
        )
        .group_by(stored.symbol)
    )
    compiled = query.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(sql.SQL(str(compiled)))
    return statement, dict(compiled.params)
