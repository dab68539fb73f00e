"""Writing and reading bars in the binary format of PostgreSQL's COPY with numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.array_types import DateArray

# Source: PostgreSQL manual, COPY, "Binary Format": signature, flags, length of the extension; then
# per row the number of fields, and per field its length and its bytes in network byte order.
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = (-1).to_bytes(2, "big", signed=True)
_FIELDS, _LENGTH = "number of fields", "length of {}"
_DATE, _DOUBLE = ">i4", ">f8"
_FIELDS_SIZE, _LENGTH_SIZE = 2, 4
# Source: array_send in PostgreSQL's arrayfuncs.c. Five integers precede the elements of an array of
# one dimension: dimensions, has nulls, element type, length and lower bound.
_ARRAY_HEAD = 5 * 4
_FIRST_DAY = np.datetime64("2000-01-01", "D")


def binary_bars(bars: pd.DataFrame, values: Sequence[str]) -> Iterator[bytes]:
    """Yield bars as the chunks of a binary COPY, one per symbol.

    Args:
        bars: Columns `symbol`, `trading_date` and the values, written in this order as text, date
            and double precision; a missing value becomes NaN.
        values: Names of the columns after the date.
    """
    yield _HEADER
    kinds = {"trading_date": _DATE, **dict.fromkeys(values, _DOUBLE)}
    days = _days(bars["trading_date"])
    columns = {name: days if name == "trading_date" else bars[name].to_numpy() for name in kinds}
    codes, symbols = pd.factorize(bars["symbol"])
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    for symbol, own in zip(symbols, np.split(order, ends[:-1]), strict=True):
        name = str(symbol).encode()
        fields = {"symbol": f"S{len(name)}", **kinds}
        rows = np.zeros(len(own), _row_layout(fields))
        rows[_FIELDS] = len(fields)
        for field, kind in fields.items():
            rows[_LENGTH.format(field)] = np.dtype(kind).itemsize
            rows[field] = name if field == "symbol" else columns[field][own]
        yield rows.tobytes()
    yield _TRAILER


def read_binary_series(
    content: bytes, values: Sequence[str]
) -> Iterator[tuple[str, dict[str, npt.NDArray[Any]]]]:
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
    position, end = len(_HEADER), len(content) - len(_TRAILER)
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


def _row_layout(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    layout = [(_FIELDS, ">i2")]
    for field, kind in fields.items():
        layout += [(_LENGTH.format(field), ">i4"), (field, kind)]
    return layout


def _days(dates: pd.Series[pd.Timestamp]) -> npt.NDArray[np.int32]:
    return (dates.to_numpy().astype("datetime64[D]") - _FIRST_DAY).astype(np.int32)
