"""Taking the lines of some symbols out of a file; a faulty line costs only the symbol it names."""

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

MAX_STRANGERS = 10_000
"""Symbols that nobody asked for of which is remembered that they are in the file."""


class Line(NamedTuple):
    """One bar as text.

    Attributes:
        symbol: Whose bar.
        number: Of the line in its file, from 1.
        fields: Texts of `BAR_COLUMNS`; none where there is a fault.
        fault: What is wrong with the line as a whole.
    """

    symbol: str
    number: int
    fields: tuple[str, ...]
    fault: str | None = None


def read_lines(
    lines: Iterator[tuple[int, str]],
    layout: Layout,
    name: str,
    asked: Collection[str],
    strangers: set[str],
) -> Iterator[Line]:
    """Give the lines of the asked symbols.

    Args:
        lines: Of the file, after its header, with their numbers.
        layout: Of the file.
        name: How errors call the file.
        asked: The symbols.
        strangers: Gets the symbols that are in the file and were not asked for.

    Raises:
        SourceDataError: A second header differs from the first, so that no later line can be read.
    """
    if layout.symbol_at is None:
        strangers.update(layout.columns.keys() - set(asked))
        if not layout.columns.keys() & set(asked):
            return
    for number, line in lines:
        try:
            fields = split_fields(line, layout.separator)
        except csv.Error as error:
            fields = line.replace('"', "").split(layout.separator)
            yield from _faults(fields, layout, asked, number, f"a stray quote ({error})")
            continue
        if len(fields) != len(layout.names):
            if line.strip(layout.separator).strip():
                fault = (
                    f"{len(fields)} fields under {len(layout.names)} names; write numbers without "
                    "thousands separators, and one field for each column"
                )
                yield from _faults(fields, layout, asked, number, fault)
        elif layout.symbol_at is None:
            if not _is_header_again(fields, layout, name, number):
                yield from _bars_beside_each_other(fields, layout, asked, number)
        else:
            symbol = fields[layout.symbol_at].strip()
            if symbol in asked:
                bar = _bar(symbol, fields, layout, NAMED_IN_LINE, number)
                if bar is not None:
                    yield bar
            elif symbol not in strangers and not _is_header_again(fields, layout, name, number):
                _remember(strangers, symbol)


def _bars_beside_each_other(
    fields: list[str], layout: Layout, asked: Collection[str], number: int
) -> Iterator[Line]:
    for symbol in layout.columns:
        if symbol in asked:
            bar = _bar(symbol, fields, layout, symbol, number)
            # Beside others, an asset that was not traded on a date has empty fields.
            if bar is not None and (len(layout.columns) == 1 or any(bar.fields[1:]) or bar.fault):
                yield bar


def _bar(symbol: str, fields: list[str], layout: Layout, key: str, number: int) -> Line | None:
    """Return a line's bar, or None where all of its fields are empty."""
    texts: tuple[str, ...] = itemgetter(*layout.columns[key])(fields)
    if max(map(len, texts)) > MAX_FIELD:
        return Line(symbol, number, (), f"a field of more than {MAX_FIELD} characters")
    texts = tuple(map(str.strip, texts))
    if layout.empty_at and any(fields[at].strip() for at in layout.empty_at):
        return Line(symbol, number, (), "a value in a column that has no name")
    return Line(symbol, number, texts) if any(texts) else None


def _faults(
    fields: list[str], layout: Layout, asked: Collection[str], number: int, fault: str
) -> Iterator[Line]:
    """Give the fault of every asked symbol that the line may be of: its fields may be shifted."""
    if layout.symbol_at is None:
        symbols = set(layout.columns)
    else:
        symbols = {field.strip() for field in fields}
    for symbol in sorted(symbols.intersection(asked)):
        yield Line(symbol, number, (), fault)


def _is_header_again(fields: list[str], layout: Layout, name: str, number: int) -> bool:
    if not layout.is_header(fields):
        return False
    if not layout.is_own_header(fields):
        raise SourceDataError(
            f"{name}, line {number}: a second header unlike the first, "
            f"{quoted(layout.separator.join(fields))}; divide the file there"
        )
    return True


def _remember(strangers: set[str], symbol: str) -> None:
    if symbol and len(strangers) < MAX_STRANGERS:
        strangers.add(symbol[:MAX_FIELD])
