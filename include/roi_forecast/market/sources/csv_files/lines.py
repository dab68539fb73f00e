"""Extracting the bars of some symbols; a faulty line affects only the symbols in it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from operator import itemgetter
from typing import NamedTuple

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.layout import NAMED_IN_LINE, Layout, split_fields
from roi_forecast.quoting import quoted

MAX_FIELD = 64
"""Characters of a date, price or volume."""

MAX_OTHER_SYMBOLS = 10_000
"""Number of symbols remembered that are in the files but were not requested."""


class Line(NamedTuple):
    """One bar as text.

    Attributes:
        symbol: The asset's.
        number: Line number in the file, from 1.
        fields: Texts of `BAR_COLUMNS`; empty if there is a fault.
        fault: The fault of the line as a whole.
    """

    symbol: str
    number: int
    fields: tuple[str, ...]
    fault: str | None = None


def read_lines(
    lines: Iterator[tuple[int, str]],
    layout: Layout,
    name: str,
    wanted: Collection[str],
    other_symbols: set[str],
) -> Iterator[Line]:
    """Yield the lines of the wanted symbols.

    Args:
        lines: The lines after the header, with their numbers.
        layout: Of the file.
        name: The file's name in errors.
        wanted: The symbols.
        other_symbols: Receives the other symbols in the file.

    Raises:
        SourceDataError: A second header differs from the first, so later lines are unreadable.
    """
    if layout.symbol_at is None:
        other_symbols.update(layout.columns.keys() - set(wanted))
        if not layout.columns.keys() & set(wanted):
            return
    for number, line in lines:
        try:
            fields = split_fields(line, layout.separator)
        except csv.Error as error:
            fields = line.replace('"', "").split(layout.separator)
            yield from _faults(fields, layout, wanted, number, f"a stray quote ({error})")
            continue
        if len(fields) != len(layout.names):
            if line.strip(layout.separator).strip():
                fault = (
                    f"{len(fields)} fields under {len(layout.names)} names; write numbers without "
                    "thousands separators, and one field for each column"
                )
                yield from _faults(fields, layout, wanted, number, fault)
        elif layout.symbol_at is None:
            if not _repeats_header(fields, layout, name, number):
                yield from _bars_side_by_side(fields, layout, wanted, number)
        else:
            symbol = fields[layout.symbol_at].strip()
            if symbol in wanted:
                bar = _bar(symbol, fields, layout, NAMED_IN_LINE, number)
                if bar is not None:
                    yield bar
            elif symbol not in other_symbols and not _repeats_header(fields, layout, name, number):
                _remember(other_symbols, symbol)


def _bars_side_by_side(
    fields: list[str], layout: Layout, wanted: Collection[str], number: int
) -> Iterator[Line]:
    for symbol in layout.columns:
        if symbol in wanted:
            bar = _bar(symbol, fields, layout, symbol, number)
            # Next to other assets, one that was not traded on a date has empty fields.
            if bar is not None and (len(layout.columns) == 1 or any(bar.fields[1:]) or bar.fault):
                yield bar


def _bar(symbol: str, fields: list[str], layout: Layout, key: str, number: int) -> Line | None:
    """Return a line's bar, or None if all of its fields are empty."""
    texts: tuple[str, ...] = itemgetter(*layout.columns[key])(fields)
    if max(map(len, texts)) > MAX_FIELD:
        return Line(symbol, number, (), f"a field of more than {MAX_FIELD} characters")
    texts = tuple(map(str.strip, texts))
    if layout.empty_at and any(fields[at].strip() for at in layout.empty_at):
        return Line(symbol, number, (), "a value in a column that has no name")
    return Line(symbol, number, texts) if any(texts) else None


def _faults(
    fields: list[str], layout: Layout, wanted: Collection[str], number: int, fault: str
) -> Iterator[Line]:
    """Yield the fault for every wanted symbol in the line; its fields may be shifted."""
    if layout.symbol_at is None:
        symbols = set(layout.columns)
    else:
        symbols = {field.strip() for field in fields}
    for symbol in sorted(symbols.intersection(wanted)):
        yield Line(symbol, number, (), fault)


def _repeats_header(fields: list[str], layout: Layout, name: str, number: int) -> bool:
    if not layout.is_header(fields):
        return False
    if not layout.is_own_header(fields):
        raise SourceDataError(
            f"{name}, line {number}: a second header unlike the first, "
            f"{quoted(layout.separator.join(fields))}; split the file there"
        )
    return True


def _remember(other_symbols: set[str], symbol: str) -> None:
    if symbol and len(other_symbols) < MAX_OTHER_SYMBOLS:
        other_symbols.add(symbol[:MAX_FIELD])
