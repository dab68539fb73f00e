"""Recognising rows by their values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from roi_forecast.market.sources.csv_files.layout.columns import DATE, SYMBOL
from roi_forecast.market.sources.csv_files.values.dates import read_dates, settles
from roi_forecast.market.sources.csv_files.values.numbers import read_numbers

_SHAPES = {
    1: ("close",),
    4: ("open", "high", "low", "close"),
    5: ("open", "high", "low", "close", "volume"),
}
"""By number of values, what they are; other numbers leave a doubt."""

_LEAST_ROWS = 3


def are_values(names: Sequence[str], rows: Sequence[Sequence[str]], date_at: int) -> bool:
    """Return whether rows hold a date and numbers under some names."""
    whole = [row for row in rows if len(row) == len(names)]
    if not whole or not all(_is_date(row[date_at]) for row in whole):
        return False
    return all(_is_number(text) for row in whole for at, text in enumerate(row) if at != date_at)


def are_bars(rows: Sequence[Sequence[str]]) -> dict[str, int] | None:
    """Return where rows without a header hold what; None if they leave a doubt.

    A bar is a date, perhaps a time, and close alone, or open, high, low, close, where high and low
    are the extremes in every row, and perhaps volume. A symbol may come first.
    """
    if len(rows) < _LEAST_ROWS or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return None
    at: dict[str, int] = {}
    first = 0
    if not _is_date(rows[0][0]) and not _is_number(rows[0][0]):
        at[SYMBOL] = 0
        first = 1
    if first >= len(rows[0]) or not all(_is_date(row[first]) for row in rows):
        return None
    at[DATE] = first
    first += 1
    if first < len(rows[0]) and all(_is_time(row[first]) for row in rows):
        first += 1
    shape = _SHAPES.get(len(rows[0]) - first)
    if shape is None or not all(_is_number(text) for row in rows for text in row[first:]):
        return None
    at |= {meaning: first + number for number, meaning in enumerate(shape)}
    return at if len(shape) == 1 or are_extremes(rows, at) else None


def are_extremes(rows: Sequence[Sequence[str]], at: Mapping[str, int]) -> bool:
    """Return whether high and low are the extremes of every row, given where the prices are."""
    values = {}
    for meaning in ("open", "high", "low", "close"):
        texts = pa.array([row[at[meaning]] for row in rows])
        point, comma = (read_numbers(texts, mark).values for mark in ("point", "comma"))
        values[meaning] = point if np.isfinite(point).all() else comma
    others = np.column_stack([values["open"], values["close"]])
    is_extreme = (values["high"] >= others.max(axis=1)) & (values["low"] <= others.min(axis=1))
    return bool(is_extreme.all() and (values["high"] > values["low"]).any())


def _is_date(text: str) -> bool:
    text = text.strip()
    return settles(text) or not np.isnat(read_dates([text], "auto").days[0])


def _is_time(text: str) -> bool:
    hour, colon, minute = text.strip()[:5].partition(":")
    if not colon:
        return text.strip() in {"0", "000000"}
    return hour.isdecimal() and minute[:2].isdecimal()


def _is_number(text: str) -> bool:
    texts = pa.array([text])
    return bool(
        read_numbers(texts, "point").is_valid[0] or read_numbers(texts, "comma").is_valid[0]
    )
