"""Finding the header of a price file, and what its columns hold."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.layout import formats
from roi_forecast.market.sources.csv_files.layout.columns import (
    BAR_NAMES,
    DATE,
    SYMBOL,
    UNNAMED,
    bar_name_of,
    meaning_of,
    meanings_of,
    plain,
)
from roi_forecast.market.sources.csv_files.layout.positions import (
    EXPECTED,
    NAMED_IN_LINE,
    Layout,
    by_symbol,
    columns_of_pairs,
    layout_of,
    require_few_columns,
    split_fields,
)
from roi_forecast.market.sources.csv_files.layout.shapes import are_bars, are_extremes, are_values
from roi_forecast.market.sources.csv_files.layout.symbols import stem_of
from roi_forecast.quoting import quoted
from roi_forecast.universe.symbols import CURRENCIES

MAX_NOTES = 20
"""Lines that may come before the header."""

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_DATES = frozenset({"date", "dates", "datetime"})
_UNITS = CURRENCIES | {"SHARES", "UNITS", "%", "PCS", "GBX"}
_CORNERS = _DATES | UNNAMED | {"price", "ticker", "symbol", "symbols", "tickers", "attributes"}


def find_header(lines: Sequence[str], name: str, file_name: str) -> Layout:
    """Return the layout of a file.

    Args:
        lines: Its first lines.
        name: The file's name in errors.
        file_name: Its name without its folder.

    Raises:
        SourceDataError: There is no usable header; names file and line.
    """
    written = [at for at, line in enumerate(lines) if line.strip(" ,;\t|")]
    if not written:
        raise SourceDataError(f"{name}: not a table of prices but empty; expected {EXPECTED}")
    stem = stem_of(file_name)
    for notes, at in enumerate(written[: MAX_NOTES + 1]):
        following = [lines[other] for other in written[notes + 1 :]]
        tables = _tables(lines[at], following, name, at + 1)
        for read in (_levels, _plain, _by_symbol):
            layouts = [layout for table in tables if (layout := read(table, stem, notes))]
            if layouts:
                return max(layouts, key=lambda layout: len(layout.names))
    return _without_header(lines, written, name)


@dataclass(frozen=True)
class _Table:
    """The first lines, divided by one separator.

    Attributes:
        separator: Character between two fields.
        name: The file's name in errors.
        line: Number of the first line.
        first: Its fields.
        following: The fields of the next lines.
    """

    separator: str
    name: str
    line: int
    first: list[str]
    following: list[list[str]]

    @property
    def place(self) -> str:
        return f"{self.name}, line {self.line}"


def _tables(line: str, following: Sequence[str], name: str, number: int) -> list[_Table]:
    tables = []
    for separator in SEPARATORS:
        if separator not in line:
            continue
        try:
            first = split_fields(line, separator)
        except csv.Error:
            continue
        require_few_columns(first, name)
        rows = [_leniently(other, separator) for other in following[:30]]
        first = _with_row_numbers(first, rows)
        tables.append(_Table(separator, name, number, first, rows))
    return tables


def _with_row_numbers(names: list[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a header with the name of row numbers, which R leaves out."""
    whole = [row for row in rows if any(field.strip() for field in row)]
    if not whole or any(len(row) != len(names) + 1 for row in whole):
        return names
    numbers = [str(at) for at in range(1, len(whole) + 1)]
    return ["", *names] if [row[0].strip() for row in whole] == numbers else names


def _leniently(line: str, separator: str) -> list[str]:
    try:
        return split_fields(line, separator)
    except csv.Error:
        return [line]


def _plain(table: _Table, stem: str, notes: int) -> Layout | None:
    """Read a header that names a date and a price."""
    names = _with_date(table.first)
    meanings = {found.meaning for found in meanings_of(names) if found}
    # A line that names both is a header, even if it is no usable one.
    if DATE not in meanings or not meanings & BAR_NAMES or any(map(_is_number, table.first)):
        return None
    if not meanings & {"close", "adj_close"} and _by_symbol(table, stem, notes):
        return None
    if _ends_with_separators(names, table.following):
        names.append("")
    return layout_of(
        names, table.following, table.place, stem, separator=table.separator, line=table.line,
        notes=notes,
    )  # fmt: skip


def _ends_with_separators(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether all rows end with a separator that the header lacks, as BSE writes them.

    Prices in thousands without quotes look alike where the last value is missing, so prices must
    show that nothing is shifted.
    """
    at = {found.meaning: i for i, found in enumerate(meanings_of(names)) if found}
    return (
        {"open", "high", "low", "close"} <= at.keys()
        and bool(rows)
        and all(len(row) == len(names) + 1 and not row[-1].strip() for row in rows)
        and are_extremes(rows, at)
    )


def _levels(table: _Table, _stem: str, notes: int) -> Layout | None:
    """Read two lines, one of columns and one of symbols, and the "Date,,," that may follow."""
    upper = table.first
    lower, third = (*table.following[:2], [], [])[:2]
    corner = plain(upper[0])
    has_date = any(found and found.meaning == DATE for found in meanings_of(upper[1:]))
    if corner not in _CORNERS or has_date or not lower:
        return None
    is_upper, is_lower = (_are_bar_names(row[1:]) for row in (upper, lower))
    has_third = bool(third) and plain(third[0]) in _DATES
    if is_upper and is_lower:
        # A symbol may be a word for a price, such as LOW.
        is_upper, is_lower = corner == "price", corner == "ticker"
    is_of_yfinance = (corner == "price" and is_upper) or (corner == "ticker" and is_lower)
    if not is_of_yfinance and all(n.upper() in _UNITS for n in map(str.strip, lower[1:]) if n):
        return None
    is_whole = (
        is_upper != is_lower
        and len(lower) == len(upper)
        and plain(lower[0]) in _CORNERS
        and has_third >= is_of_yfinance
        and (not has_third or (len(third) == len(upper) and not any(map(str.strip, third[1:]))))
    )
    if not is_whole:
        if not is_of_yfinance:
            return None
        raise SourceDataError(
            f"{table.name}, line {table.line + 1 + has_third}: received "
            f"{quoted(table.separator.join(third if has_third else lower))}; expected a line of "
            "column names, one of symbols and one 'Date,,,' with as many fields, as yfinance "
            "writes them"
        )
    columns, symbols = (upper, lower) if is_upper else (lower, upper)
    pairs = {
        at: (symbol.strip(), meaning)
        for at, symbol in enumerate(_filled(symbols))
        if at and symbol.strip() and (meaning := bar_name_of(columns[at])) is not None
    }
    last = table.line + 1 + has_third
    place = f"{table.name}, lines {table.line} to {last}"
    layout = columns_of_pairs(pairs, columns, place)
    known = formats.COLUMNS_OF_SYMBOLS
    if has_third:
        has_adjusted = any("adj_close" in own for own in layout.values())
        known = formats.YFINANCE_DOWNLOAD if has_adjusted else formats.YFINANCE_ADJUSTED
    return Layout(
        format=known,
        separator=table.separator,
        names=("Date", *columns[1:]),
        line=last,
        notes=notes,
        date_at=0,
        symbol_at=None,
        columns=layout,
    )


def _by_symbol(table: _Table, _stem: str, notes: int) -> Layout | None:
    """Read a header of a date and columns that name symbols: `Date,AAPL,MSFT`, `AAPL.Close`."""
    names = _with_date(table.first)
    at = next((at for at, name in enumerate(names) if _is_date(name)), None)
    if at is None or at > 1 or any(map(_is_number, names)):
        return None
    if not are_values(names, table.following, at):
        return None
    return by_symbol(
        names, f"{table.name}, line {table.line}", separator=table.separator, line=table.line,
        notes=notes,
    )  # fmt: skip


def _without_header(lines: Sequence[str], written: Sequence[int], name: str) -> Layout:
    """Read rows that leave no doubt about what they hold."""
    for separator in SEPARATORS:
        rows = [_leniently(lines[at], separator) for at in written[: 10 * MAX_NOTES]]
        at = are_bars(rows)
        if at is not None:
            own = {meaning: position for meaning, position in at.items() if meaning in BAR_NAMES}
            symbol_at = at.get(SYMBOL)
            return Layout(
                format=formats.ROWS_WITHOUT_HEADER,
                separator=separator,
                names=tuple("" for _ in rows[0]),
                line=0,
                notes=0,
                date_at=at[DATE],
                symbol_at=symbol_at,
                columns={None if symbol_at is None else NAMED_IN_LINE: own},
            )
    line = lines[written[0]]
    raise SourceDataError(
        f"{name}, line {written[0] + 1}: not a table of prices; received {quoted(line)}, expected "
        f"a header such as {EXPECTED}, of which date and close are needed"
    )


def _with_date(fields: Sequence[str]) -> list[str]:
    """Return the names; an unnamed first one may be the date."""
    names = list(fields)
    # An index as pandas writes it: dates, or row numbers if there is a date column.
    has_date = any(found and found.meaning == DATE for found in meanings_of(names[1:]))
    if plain(names[0]) in UNNAMED and not has_date:
        names[0] = "date"
    return names


def _are_bar_names(fields: Sequence[str]) -> bool:
    named = [field for field in fields if field.strip()]
    return bool(named) and sum(bar_name_of(field) is not None for field in named) * 2 > len(named)


def _filled(symbols: Sequence[str]) -> list[str]:
    """Repeat a symbol over the empty fields after it, as spreadsheets merge them."""
    filled: list[str] = []
    for symbol in symbols:
        filled.append(symbol if symbol.strip() or not filled[1:] else filled[-1])
    return filled


def _is_date(name: str) -> bool:
    found = meaning_of(name)
    return found is not None and found.meaning == DATE


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).replace("-", "", 1).isdecimal()
