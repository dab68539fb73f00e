"""Bars in the binary format of PostgreSQL's COPY, built by numpy instead of row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

# Source: PostgreSQL manual, COPY, "Binary Format": a signature, flags, the length of an extension;
# then per row the number of fields, and per field its length and its bytes, most significant first.
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = (-1).to_bytes(2, "big", signed=True)
_FIRST_DAY = np.datetime64("2000-01-01", "D")


def binary_bars(bars: pd.DataFrame, prices: Sequence[str]) -> Iterator[bytes]:
    """Give bars as the chunks of a binary COPY, one for each symbol.

    Args:
        bars: Columns `symbol`, `trading_date`, the prices, and `volume`; no missing value. They
            are written in this order, as text, date, double precision and bigint.
        prices: Names of the columns between date and volume.
    """
    yield _HEADER
    for symbol, own in bars.groupby("symbol", sort=False):
        name = str(symbol).encode()
        fields: list[tuple[str, str, np.ndarray | int | bytes]] = [
            ("symbol", f"S{len(name)}", name),
            ("trading_date", ">i4", _days(own["trading_date"])),
            *((price, ">f8", own[price].to_numpy(np.float64)) for price in prices),
            ("volume", ">i8", own["volume"].to_numpy(np.int64)),
        ]
        layout: list[tuple[str, str]] = [("fields", ">i2")]
        for field, kind, _ in fields:
            layout += [(f"length of {field}", ">i4"), (field, kind)]
        rows = np.zeros(len(own), np.dtype(layout))
        rows["fields"] = len(fields)
        for field, kind, values in fields:
            rows[f"length of {field}"] = np.dtype(kind).itemsize
            rows[field] = values
        yield rows.tobytes()
    yield _TRAILER


def _days(dates: pd.Series[pd.Timestamp]) -> np.ndarray:
    return (dates.to_numpy().astype("datetime64[D]") - _FIRST_DAY).astype(np.int32)
