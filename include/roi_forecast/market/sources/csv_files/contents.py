"""What is understood of price files, for people to look at before a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files.content.opening import MIB
from roi_forecast.market.sources.csv_files.conventions import AS_THE_FILE_SHOWS, Conventions
from roi_forecast.market.sources.csv_files.faults import described
from roi_forecast.market.sources.csv_files.file_rows import FileRows
from roi_forecast.market.sources.csv_files.folder import PriceFiles
from roi_forecast.market.sources.csv_files.layout.header import SEPARATORS
from roi_forecast.market.sources.csv_files.layout.symbols import refusal_of
from roi_forecast.market.sources.csv_files.reading import read_file
from roi_forecast.market.sources.csv_files.symbol_rows import SymbolRows
from roi_forecast.settings import DEFAULT_CSV_FILE_MIB
from roi_forecast.universe import load_universe

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class SymbolContents:
    """The rows of one symbol in one file.

    Attributes:
        symbol: As the universe writes it; as in the file if it is refused.
        first: First trading date; None if no row has a readable one.
        last: Last trading date.
        rows: Number of rows with a readable date.
        missing: The columns of `BAR_COLUMNS` that the file does not have for it, or has empty.
        missing_weekdays: Weekdays from first to last date without a row, holidays included.
        longest_gap: The most of them in a row.
        faults: What is wrong with its rows, with the line.
        refused: Why no exchange of the universe takes the symbol; None if one does.
    """

    symbol: str
    first: date | None
    last: date | None
    rows: int
    missing: tuple[str, ...] = ()
    missing_weekdays: int = 0
    longest_gap: int = 0
    faults: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True)
class FileContents:
    """One file, as it is understood.

    Attributes:
        name: Name of the file.
        error: Why the file cannot be used; None if it can. The other fields then hold what was
            understood before.
        format: The format in words.
        packing: How it is packed: plain, gzip, zip, xz, bz2; or Parquet.
        encoding: Of its text, such as UTF-8; empty for Parquet.
        separator: Between two fields, in words; empty for Parquet.
        conventions: What was decided about dates and numbers, and why, a sentence each.
        symbols: In the order of the file.
        notes: What else to know, such as lines that were skipped.
    """

    name: str
    error: str | None = None
    format: str = ""
    packing: str = ""
    encoding: str = ""
    separator: str = ""
    conventions: tuple[str, ...] = ()
    symbols: tuple[SymbolContents, ...] = field(default=())
    notes: tuple[str, ...] = ()


def understand(
    path: Path,
    conventions: Conventions = AS_THE_FILE_SHOWS,
    *,
    allowed: Path | None = None,
    max_bytes: int = DEFAULT_CSV_FILE_MIB * MIB,
) -> list[FileContents]:
    """Read a file, or all files of a folder, and return what is understood of each.

    Args:
        path: The file or folder.
        conventions: What the run settles.
        allowed: Folder that must contain every file after following links; see `CsvSource`.
        max_bytes: Maximum bytes read from one file, after unpacking.

    Raises:
        SourceUnavailableError: There is no such file or folder.
        SourceDataError: The folder holds no file of prices.
    """
    files = PriceFiles(path, allowed, conventions.suffix)
    found = []
    for file in files.paths:
        try:
            rows = read_file(
                file, None, conventions, allowed=files.allowed_folder, max_bytes=max_bytes
            )
        except SourceUnavailableError:
            if not files.is_folder:
                raise
            found.append(FileContents(file.name, "cannot be read now"))
        except SourceDataError as error:
            found.append(FileContents(file.name, str(error)))
        else:
            found.append(_contents(file.name, rows))
    return found


def _contents(name: str, rows: FileRows) -> FileContents:
    symbols = tuple(_symbol_contents(rows.rows_of(symbol)) for symbol in rows.symbols)
    notes = [
        f"{what}: {count:,}"
        for count, what in (
            (rows.layout.notes, "lines before the header skipped"),
            (rows.repeated, "repeated headers skipped"),
            (rows.left_out, "rows of other kinds of instruments skipped"),
            (rows.remarks, "rows of dividends, splits or remarks skipped"),
        )
        if count
    ]
    if rows.layout.format.adjusted:
        notes.append("prices are adjusted already")
    error = None
    if not any(own.rows or own.faults for own in symbols):
        error = rows.why_empty
    return FileContents(
        name=name,
        error=error,
        format=rows.layout.format.name,
        packing=rows.packing,
        encoding=rows.encoding,
        separator=SEPARATORS.get(rows.layout.separator, ""),
        conventions=rows.decided,
        symbols=symbols,
        notes=tuple(notes),
    )


def _symbol_contents(rows: SymbolRows) -> SymbolContents:
    refused = refusal_of(rows.symbol)
    exchange = None if refused else load_universe().asset(rows.symbol).exchange
    days = rows.trading_dates(exchange.timezone if exchange else _UTC)
    faults = tuple(
        described(rows.place, fault, rows.symbol) for fault in rows.faults_of(days, exchange)
    )
    traded = np.unique(days[~np.isnat(days)])
    gaps = np.busday_count(traded[:-1] + np.timedelta64(1, "D"), traded[1:])
    return SymbolContents(
        symbol=rows.symbol,
        first=traded[0].item() if len(traded) else None,
        last=traded[-1].item() if len(traded) else None,
        rows=int((~np.isnat(days)).sum()),
        missing=tuple(c for c in BAR_COLUMNS if c in rows.lacking),
        missing_weekdays=int(gaps.sum()),
        longest_gap=int(gaps.max(initial=0)),
        faults=faults,
        refused=refused,
    )
