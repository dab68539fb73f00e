"""Writing and reading bars in the binary format of PostgreSQL's COPY with numpy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.array_types import DateArray

# Source: PostgreSQL manual, COPY, "Binary Format": signature, flags, length of the extension; then
# per row the number of fields, and per field its length and its bytes in network byte order.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = (-1).to_bytes(2, "big", signed=True)
"""What precedes and follows the rows of a binary COPY."""

_FIELDS, _LENGTH = "number of fields", "length of {}"
_DATE, _DOUBLE, _WHOLE, _NULL = ">i4", ">f8", ">i8", ""
_FIELDS_SIZE, _LENGTH_SIZE = 2, 4
# Source: array_send in PostgreSQL's arrayfuncs.c. Five integers precede the elements of an array of
# one dimension: dimensions, has nulls, element type, length and lower bound.
_ARRAY_HEAD = 5 * 4
_FIRST_DAY = np.datetime64("2000-01-01", "D")

Series = dict[str, npt.NDArray[Any]]
"""`trading_date` as int32 days since 2000-01-01, and values as float64, each of shape (bars,)."""


def series_of(bars: pd.DataFrame, values: Sequence[str]) -> Iterator[tuple[str, Series]]:
    """Yield the series of each symbol, in order of the symbols, by date.

    Args:
        bars: Columns `symbol`, `trading_date` and the values.
        values: Names of the columns after the date.

    Yields:
        The symbol and its series as `read_binary_series` yields them.
    """
    columns = {"trading_date": _days(bars["trading_date"])}
    columns |= {name: bars[name].to_numpy("float64", na_value=np.nan) for name in values}
    codes, symbols = pd.factorize(bars["symbol"], sort=True)
    order = np.lexsort((columns["trading_date"], codes))
    ends = np.cumsum(np.bincount(codes))
    for symbol, own in zip(symbols, np.split(order, ends[:-1]), strict=True):
        yield str(symbol), {name: column[own] for name, column in columns.items()}


def binary_rows(
    keys: Sequence[str], series: Series, whole: Collection[str] = ()
) -> Iterator[bytes]:
    """Yield the bars of one series as rows of a binary COPY, between `HEADER` and `TRAILER`.

    Args:
        keys: Texts that precede the date in every row.
        series: `trading_date` and values, written in this order as date and double precision; NaN
            becomes NULL.
        whole: Names of values that are written as bigint.
    """
    values = [name for name in series if name != "trading_date"]
    missing = np.isnan(np.column_stack([series[name] for name in values]))
    # Rows that lack the same values have one layout, so that numpy writes them at once.
    patterns = missing @ (1 << np.arange(len(values)))
    for pattern in np.unique(patterns):
        own = patterns == pattern
        fields: dict[str, tuple[str, Any]] = {}
        for number, key in enumerate(keys):
            fields[f"key {number}"] = (f"S{len(key.encode())}", key.encode())
        fields["trading_date"] = (_DATE, series["trading_date"][own])
        for number, name in enumerate(values):
            if pattern >> number & 1:
                fields[name] = (_NULL, None)
            elif name in whole:
                fields[name] = (_WHOLE, np.rint(series[name][own]))
            else:
                fields[name] = (_DOUBLE, series[name][own])
        rows = np.zeros(np.count_nonzero(own), _row_layout(fields))
        rows[_FIELDS] = len(fields)
        for name, (kind, content) in fields.items():
            rows[_LENGTH.format(name)] = -1 if kind == _NULL else np.dtype(kind).itemsize
            if kind != _NULL:
                rows[name] = content
        yield rows.tobytes()


def read_binary_series(content: bytes, values: Sequence[str]) -> Iterator[tuple[str, Series]]:
    """Yield the series of each symbol of a binary COPY.

    Args:
        content: All bytes of a COPY with one row per symbol: the symbol, an array of its dates and
            an equally long array of each value.
        values: Names of the columns after the date.

    Yields:
        The symbol, and by column its `trading_date` as int32 days since 2000-01-01 and its values,
        each of shape (bars,), in native byte order.
    """
    kinds = {"trading_date": _DATE, **dict.fromkeys(values, _DOUBLE)}
    position, end = len(HEADER), len(content) - len(TRAILER)
    while position < end:
        symbol, position = _next_field(content, position + _FIELDS_SIZE)
        series = {}
        for name, kind in kinds.items():
            array, position = _next_field(content, position)
            elements = np.frombuffer(array, [("length", ">i4"), ("value", kind)], -1, _ARRAY_HEAD)
            series[name] = elements["value"].astype(np.dtype(kind).newbyteorder("="))
        yield bytes(symbol).decode(), series


def as_dates(days: npt.NDArray[np.int32]) -> DateArray:
    """Return days since 2000-01-01 as dates, datetime64[us]."""
    return (_FIRST_DAY + days.astype("timedelta64[D]")).astype("datetime64[us]")


def _next_field(content: bytes, position: int) -> tuple[memoryview, int]:
    """Return the field at a position, and the position of the next one."""
    first = position + _LENGTH_SIZE
    length = int.from_bytes(content[position:first], "big")
    return memoryview(content)[first : first + length], first + length


def _row_layout(fields: Mapping[str, tuple[str, Any]]) -> list[tuple[str, str]]:
    layout = [(_FIELDS, ">i2")]
    for field, (kind, _) in fields.items():
        layout.append((_LENGTH.format(field), ">i4"))
        if kind != _NULL:
            layout.append((field, kind))
    return layout


def _days(dates: pd.Series[pd.Timestamp]) -> npt.NDArray[np.int32]:
    return (dates.to_numpy().astype("datetime64[D]") - _FIRST_DAY).astype(np.int32)
