"""The layout of a price file: the position of every value, by what it means."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roi_forecast.errors import SourceDataError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files.layout import formats
from roi_forecast.market.sources.csv_files.layout.columns import (
    BAR_NAMES,
    CHANGE,
    CURRENCY,
    DATE,
    EXCHANGE,
    OTHERS,
    SYMBOL,
    UNNAMED,
    bar_name_of,
    meanings_of,
    no_bars,
    plain,
    symbol_and_meaning,
)
from roi_forecast.market.sources.csv_files.layout.formats import Format, find_format
from roi_forecast.quoting import quoted

NAMED_IN_LINE = ""
"""Key of `Layout.columns` where each line names its own symbol."""

MAX_COLUMNS = 50_000
"""Columns of one file; ten thousand assets with five values each."""

EXPECTED = ",".join((SYMBOL, *("date" if c == DATE else c for c in BAR_COLUMNS)))
"""The header that errors show."""


@dataclass(frozen=True)
class Layout:
    """The positions of the values in a line.

    Attributes:
        format: What is known of the file's vendor.
        separator: Character between two fields; empty for Parquet.
        names: Names of the fields, as written.
        line: Number of the header's last line; 0 if there is none.
        notes: Number of lines before it.
        date_at: Position of the date.
        symbol_at: Position of the symbol, or None if the header or the file name gives it.
        columns: By symbol as written, the positions of the parts of its bars; under `NAMED_IN_LINE`
            if each line names its symbol, or None stands for the file's name.
        exchange_at: Position of the exchange of the symbol, or None.
        currency_at: Position of the currency of the prices, or None.
        change_at: Position of a change in percent, or None.
        kept_at: By position, the values of the rows that count.
        empty_at: Positions of fields without a name, which must be empty.
    """

    format: Format
    separator: str
    names: tuple[str, ...]
    line: int
    notes: int
    date_at: int
    symbol_at: int | None
    columns: Mapping[str | None, Mapping[str, int]]
    exchange_at: int | None = None
    currency_at: int | None = None
    change_at: int | None = None
    kept_at: Mapping[int, frozenset[str]] | None = None
    empty_at: tuple[int, ...] = ()

    def is_header(self, fields: Sequence[str]) -> bool:
        """Return whether the fields are a header, this one or another, rather than a bar."""
        if any(field[:1].isdigit() for field in fields):
            return False
        meanings = {found.meaning for found in meanings_of(fields) if found}
        return {DATE, "close"} <= meanings

    def is_own_header(self, fields: Sequence[str]) -> bool:
        """Return whether the fields repeat this header."""
        own, repeated = (",".join(map(plain, names)) for names in (self.names, fields))
        return own.rstrip(",") == repeated.rstrip(",")


def split_fields(line: str, separator: str) -> list[str]:
    """Return the fields of one line.

    Raises:
        csv.Error: A quote is unbalanced or followed by text.
    """
    if '"' not in line:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))


def require_few_columns(names: Sequence[str], name: str) -> None:
    """Refuse a table that is wider than any of prices.

    Raises:
        SourceDataError: It has more than `MAX_COLUMNS` columns.
    """
    if len(names) > MAX_COLUMNS:
        raise SourceDataError(f"{name}: {len(names):,} columns; at most {MAX_COLUMNS:,} are read")


def layout_of(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    place: str,
    stem: str,
    *,
    separator: str = "",
    line: int = 0,
    notes: int = 0,
) -> Layout:
    """Return the layout of named columns.

    Args:
        names: The names; with the date's.
        rows: Texts of some rows.
        place: File and line in errors.
        stem: Name of the file without its endings.
        separator: Character between two fields.
        line: Number of the header's line.
        notes: Number of lines before it.

    Raises:
        SourceDataError: A column is missing, or two have one meaning.
    """
    reason = no_bars(names)
    if reason is not None:
        raise SourceDataError(f"{place}: {reason}; received {quoted(','.join(names))}")
    at = _find(names, place)
    missing = [meaning for meaning in (DATE, "close") if meaning not in at]
    if missing:
        spelled = ", ".join("date" if meaning == DATE else meaning for meaning in missing)
        raise SourceDataError(
            f"{place}: the columns {spelled} are missing; received {quoted(','.join(names))}, "
            f"expected {EXPECTED}, of which date and close are needed"
        )
    columns = [plain(column) for column in names]
    first = next((row for row in rows if len(row) == len(names)), [])
    texts = {column: text.strip() for column, text in zip(columns, first, strict=False)}
    known = find_format(columns, texts, stem, formats.PLAIN)
    symbol_at = at.get(SYMBOL)
    own = {meaning: position for meaning, position in at.items() if meaning in BAR_NAMES}
    return Layout(
        format=known,
        separator=separator,
        names=tuple(names),
        line=line,
        notes=notes,
        date_at=at[DATE],
        symbol_at=symbol_at,
        columns={None if symbol_at is None else NAMED_IN_LINE: own},
        exchange_at=None if symbol_at is None else at.get(EXCHANGE),
        currency_at=at.get(CURRENCY),
        change_at=at.get(CHANGE),
        kept_at={columns.index(column): values for column, values in known.kept.items()},
        empty_at=tuple(i for i, column in enumerate(names) if i and not column.strip()),
    )


def by_symbol(
    names: Sequence[str], place: str, *, separator: str = "", line: int = 0, notes: int = 0
) -> Layout | None:
    """Return the layout of a date and columns that name symbols; None if they do not.

    Args:
        names: The names; one of them is the date's. An empty one does not count.
        place: File and line in errors.
        separator: Character between two fields.
        line: Number of the header's line.
        notes: Number of lines before it.

    Raises:
        SourceDataError: Two columns are of one symbol and meaning.
    """
    found = meanings_of(names)
    dates = [at for at, meaning in enumerate(found) if meaning and meaning.meaning == DATE]
    if not dates:
        return None
    symbols = {
        at: name
        for at, name in enumerate(names)
        if at != dates[0] and name.strip() and not (at == 0 and plain(name) in UNNAMED)
    }
    split = {at: symbol_and_meaning(name) for at, name in symbols.items()}
    pairs = {at: pair for at, pair in split.items() if pair}
    kind = formats.COLUMNS_OF_SYMBOLS
    if len(pairs) < len(split):
        _require_symbols(symbols.values(), place)
        pairs = {at: (name.strip(), "close") for at, name in symbols.items()}
        kind = formats.SYMBOL_A_COLUMN
    columns = columns_of_pairs(pairs, names, place)
    if not columns:
        return None
    if any(name.startswith("(") for name in symbols.values()):
        has_adjusted = any("adj_close" in own for own in columns.values())
        kind = formats.YFINANCE_DOWNLOAD if has_adjusted else formats.YFINANCE_ADJUSTED
    return Layout(kind, separator, tuple(names), line, notes, dates[0], None, columns)


def columns_of_pairs(
    pairs: Mapping[int, tuple[str, str]], names: Sequence[str], place: str
) -> dict[str | None, dict[str, int]]:
    """Return the positions by symbol, given symbol and meaning by position.

    Raises:
        SourceDataError: Two columns are of one symbol and meaning, or a symbol has no close.
    """
    columns: dict[str | None, dict[str, int]] = {}
    for at, (symbol, meaning) in pairs.items():
        own = columns.setdefault(symbol, {})
        if meaning in own:
            raise SourceDataError(
                f"{place}, columns of {quoted(symbol)}: {quoted(names[own[meaning]])} and "
                f"{quoted(names[at])} both mean {meaning}; keep one of them"
            )
        own[meaning] = at
    for written, own in columns.items():
        if "close" not in own and "adj_close" in own:
            own["close"] = own["adj_close"]
        if "close" not in own:
            raise SourceDataError(
                f"{place}, columns of {quoted(written)}: the column close is missing"
            )
    return columns


def _require_symbols(names: Iterable[str], place: str) -> None:
    """Refuse columns of values that are no closes, whose names would pass for symbols."""
    written = list(names)
    parts = [name for name in written if bar_name_of(name) is not None]
    others = [
        name for name in written if not name.isupper() and (name in parts or plain(name) in OTHERS)
    ]
    if len(parts) > 1 or len(parts) == len(written):
        others = others or parts
    if others:
        raise SourceDataError(
            f"{place}: the columns close are missing; {quoted(others[0])} is neither a close nor a "
            f"symbol; expected {EXPECTED}, of which date and close are needed, or a column of "
            "closes for each symbol"
        )


def _find(names: Sequence[str], place: str) -> dict[str, int]:
    """Return the positions by meaning."""
    at: dict[str, int] = {}
    ranks: dict[str, int] = {}
    twins: dict[str, int] = {}
    for number, found in enumerate(meanings_of(names)):
        if found is None:
            continue
        meaning, rank = found
        if meaning not in at or rank < ranks[meaning]:
            at[meaning], ranks[meaning] = number, rank
            twins.pop(meaning, None)
        elif rank == ranks[meaning]:
            twins.setdefault(meaning, number)
    for meaning, number in twins.items():
        if meaning in {CURRENCY, EXCHANGE, CHANGE}:
            continue
        both = f"{quoted(names[at[meaning]])} and {quoted(names[number])}"
        spelled = "date" if meaning == DATE else meaning
        raise SourceDataError(f"{place}: the columns {both} both mean {spelled}; keep one of them")
    if "close" not in at and "adj_close" in at:
        at["close"] = at["adj_close"]
    return at
