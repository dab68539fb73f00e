"""Interpreting the header of a price file: the meaning and symbol of each column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roi_forecast.errors import SourceDataError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.quoting import quoted

NAMED_IN_LINE = ""
"""Key of `Layout.columns` where each line names its own symbol."""

_SYMBOL = "symbol"
_DATE = BAR_COLUMNS[0]
_MEANINGS = frozenset({_SYMBOL, *BAR_COLUMNS})
_OTHER_SPELLINGS = {
    "date": _DATE,
    "datetime": _DATE,
    "timestamp": _DATE,
    "adjclose": "adj_close",
    "adjusted_close": "adj_close",
    "ticker": _SYMBOL,
}
_UNNAMED = {"", "unnamed_0"}


@dataclass(frozen=True)
class Layout:
    """The positions of the values in a line.

    Attributes:
        separator: Character between two fields.
        names: Meaning of each field; unknown ones as written.
        symbol_at: Position of the symbol, or None if the header or the file name gives it.
        columns: By symbol, the positions of `BAR_COLUMNS`; under `NAMED_IN_LINE` if each line names
            its symbol.
        empty_at: Positions of fields without a name, which must be empty.
    """

    separator: str
    names: tuple[str, ...]
    symbol_at: int | None
    columns: Mapping[str, tuple[int, ...]]
    empty_at: tuple[int, ...]

    def is_header(self, fields: Sequence[str]) -> bool:
        """Return whether the fields are a header, this one or another, rather than a bar."""
        if any(field[:1].isdigit() for field in fields):
            return False
        return {_DATE, "close"} <= {meaning_of(field) for field in fields}

    def is_own_header(self, fields: Sequence[str]) -> bool:
        """Return whether the fields repeat this header."""
        return _meanings(fields) == self.names


def split_fields(line: str, separator: str) -> list[str]:
    """Return the fields of one line.

    Raises:
        csv.Error: A quote is unbalanced or followed by text.
    """
    if '"' not in line:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))


def read_header(lines: Iterator[tuple[int, str]], name: str, file_symbol: str) -> Layout:
    """Consume the header lines and return the layout.

    Args:
        lines: Of the file, with their numbers.
        name: The file's name in errors.
        file_symbol: The symbol that the file is named after.

    Raises:
        SourceDataError: This is not a usable header; names file and line.
    """
    number, header = next(((n, line) for n, line in lines if line.strip()), (0, ""))
    if not header:
        raise SourceDataError(f"{name}: not a table of prices but empty; expected {_expected()}")
    separator = ";" if header.count(";") > header.count(",") else ","
    place = f"{name}, line {number}"
    fields = _split_header(header, separator, place)
    first = meaning_of(fields[0])
    if first == "price" or (first == _SYMBOL and not _MEANINGS & set(map(meaning_of, fields[1:]))):
        return _read_yfinance_header(fields, lines, separator, name)
    return _read_plain_header(fields, separator, place, file_symbol)


def meaning_of(spelling: str) -> str:
    """Return the meaning of a column name, or its plain spelling if unknown."""
    plain = re.sub(r"[\s:_-]+", "_", spelling.strip().lower()).strip("_")
    return _OTHER_SPELLINGS.get(plain, plain)


def _read_plain_header(
    fields: Sequence[str], separator: str, place: str, file_symbol: str
) -> Layout:
    names = _meanings(fields)
    at = _find(names, fields, place)
    if len(at) < len(_MEANINGS) // 2:
        raise SourceDataError(
            f"{place}: not a table of prices in UTF-8; received {quoted(separator.join(fields))}, "
            f"expected {_expected()}"
        )
    columns = _places(at, place)
    symbol_at = at.get(_SYMBOL)
    return Layout(
        separator=separator,
        names=names,
        symbol_at=symbol_at,
        columns={file_symbol if symbol_at is None else NAMED_IN_LINE: columns},
        empty_at=tuple(i for i, field in enumerate(fields) if i and not field.strip()),
    )


def _read_yfinance_header(
    first: Sequence[str], lines: Iterator[tuple[int, str]], separator: str, name: str
) -> Layout:
    """Read three lines as yfinance writes them: columns, symbols, "Date"."""
    rows = {meaning_of(first[0]): first}
    for wanted in ("price" if "price" not in rows else _SYMBOL, _DATE):
        number, line = next(lines, (len(rows), ""))
        fields = _split_header(line, separator, f"{name}, line {number}")
        others = any(map(str.strip, fields[1:])) if wanted == _DATE else False
        if meaning_of(fields[0]) != wanted or len(fields) != len(first) or others:
            raise SourceDataError(
                f"{name}, line {number}: received {quoted(line)}; expected a line of column names, "
                "one of symbols and one 'Date,,,' with as many fields, as yfinance writes them"
            )
        rows[wanted] = fields
    names = _meanings(rows["price"])
    columns = {}
    for symbol in dict.fromkeys(map(str.strip, rows[_SYMBOL][1:])):
        place = f"{name}, lines {number - 2} to {number}, columns of {quoted(symbol)}"
        own = tuple(
            meaning if at and rows[_SYMBOL][at].strip() == symbol else ""
            for at, meaning in enumerate(names)
        )
        columns[symbol] = _places({**_find(own, rows["price"], place), _DATE: 0}, place)
    return Layout(separator, (_DATE, *names[1:]), None, columns, ())


def _split_header(line: str, separator: str, place: str) -> list[str]:
    try:
        return split_fields(line, separator)
    except csv.Error as error:
        raise SourceDataError(
            f"{place}: not a header ({error}); received {quoted(line)}, expected {_expected()}"
        ) from error


def _meanings(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the meaning of each field of a header; an unnamed first one may be the date."""
    names = [meaning_of(field) for field in fields]
    if names and names[0] in _UNNAMED:
        # An index as pandas writes it: dates, or row numbers if there is a date column.
        names[0] = "" if _DATE in names else _DATE
    return tuple(names)


def _find(names: Sequence[str], spellings: Sequence[str], place: str) -> dict[str, int]:
    at: dict[str, int] = {}
    for number, meaning in enumerate(names):
        if meaning not in _MEANINGS:
            continue
        if meaning in at:
            both = f"{quoted(spellings[at[meaning]])} and {quoted(spellings[number])}"
            raise SourceDataError(
                f"{place}: the columns {both} both mean {_spelled(meaning)}; keep one of them"
            )
        at[meaning] = number
    return at


def _places(at: Mapping[str, int], place: str) -> tuple[int, ...]:
    missing = [column for column in BAR_COLUMNS if column not in at]
    if missing:
        hint = (
            "; without adjusted prices, repeat close as adj_close: the forecasts are then price "
            "returns"
            if missing == ["adj_close"]
            else ""
        )
        raise SourceDataError(
            f"{place}: the columns {', '.join(map(_spelled, missing))} are missing; expected "
            f"{_expected()}{hint}"
        )
    return tuple(at[column] for column in BAR_COLUMNS)


def _spelled(meaning: str) -> str:
    return "date" if meaning == _DATE else meaning


def _expected() -> str:
    return ",".join((_SYMBOL, *map(_spelled, BAR_COLUMNS)))
