"""Prices from files: one file or a folder, comma or semicolon, plain or gzip.

Either layout will do: long (a `symbol` column) or one file per symbol, named after it. The
spellings of Yahoo's download and of pandas' `to_csv` are known. A process reads a file once, and of
a folder only the asset's own file, where it has one.
"""

from __future__ import annotations

import gzip
import io
import logging
import re
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.source import BAR_COLUMNS, PRICE_COLUMNS, UnknownSymbolError, as_bars
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

_SUFFIX = re.compile(r"(\.csv|\.txt)?(\.gz)?$")
_GZIP_MAGIC = b"\x1f\x8b"
_OTHER_SPELLINGS = {
    "": "trading_date",
    "unnamed_0": "trading_date",
    "date": "trading_date",
    "datetime": "trading_date",
    "timestamp": "trading_date",
    "adjclose": "adj_close",
    "adjusted_close": "adj_close",
    "ticker": "symbol",
}


class CsvSource:
    """Bars from a file or a folder.

    Args:
        key: The `source` of its rows in the database.
        path: A file, or a folder of `.csv`, `.txt` and `.gz` files. Where one is named after an
            asset, that asset is read from it alone, else from all of them.
    """

    def __init__(self, key: str, path: Path) -> None:
        self.key = key
        self._path = path

    def fetch(self, asset: Asset, start: date, end: date) -> pd.DataFrame:
        """Return the asset's bars; see `PriceSource.fetch`.

        Raises:
            SourceUnavailableError: There is no such file or folder.
            UnknownSymbolError: No row has this symbol.
            SourceDataError: Names the file, the line and what was expected there.
        """
        own_files = [path for path in self._files if _symbol_of(path) == asset.symbol]
        table = _read_files(own_files) if own_files else self._rows
        rows = table[table["symbol"] == asset.symbol]
        if rows.empty:
            known = ", ".join(sorted(table["symbol"].unique())[:10])
            raise UnknownSymbolError(
                f"{asset.symbol}: {self._path} has no row of this symbol; it has {known} and "
                "perhaps more: leave the symbol out or add its rows"
            )
        bars = pd.DataFrame({"trading_date": _parse_dates(rows, asset.exchange.timezone)})
        for column in (*PRICE_COLUMNS, "volume"):
            bars[column] = _parse_numbers(rows, column)
        return as_bars(bars, asset, start, end)

    def check_reachable(self, asset: Asset) -> None:
        """Read the files; see `PriceSource.check_reachable`."""
        logger.info("%s: %d rows for %s and others", self._path, len(self._rows), asset.symbol)

    def last_trading_date(self) -> date:
        """Return the last date of the files, over all their symbols."""
        latest: pd.Timestamp = _parse_dates(self._rows, ZoneInfo("UTC")).max()
        return latest.date()

    @cached_property
    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        files = [p for p in sorted(self._path.iterdir()) if p.suffix in {".csv", ".txt", ".gz"}]
        if not files:
            raise SourceDataError(f"{self._path}: the folder has no .csv, .txt or .gz file")
        return files

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """All rows as text, with the file and line each came from."""
        rows = _read_files(self._files)
        if rows.empty:
            raise SourceDataError(f"{self._path}: a header but no rows; expected one row per bar")
        return rows


def _read_files(paths: list[Path]) -> pd.DataFrame:
    versions = [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]
    return pd.concat(map(_read_file, paths, versions), ignore_index=True)


def _symbol_of(path: Path) -> str:
    return _SUFFIX.sub("", path.name)


@lru_cache(maxsize=4)
def _read_file(path: Path, version: int) -> pd.DataFrame:  # noqa: ARG001, tells contents apart
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
        header = content.split(b"\n", 1)[0]
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=";" if header.count(b";") > header.count(b",") else ",",
            dtype=str,
            encoding="utf-8-sig",
            skip_blank_lines=False,
            skipinitialspace=True,
            index_col=False,
        )
    except FileNotFoundError as error:
        raise SourceUnavailableError(
            f"{path}: no such file or folder on this machine; csv_path has to be a path that the "
            "workers see"
        ) from error
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise SourceDataError(f"{path}: not a complete gzip file ({error})") from error
        raise SourceUnavailableError(f"{path}: cannot be read ({error})") from error
    except EOFError as error:
        raise SourceDataError(f"{path}: not a complete gzip file ({error})") from error
    except (ParserError, EmptyDataError, UnicodeDecodeError) as error:
        raise SourceDataError(
            f"{path}: not a table with a header and separators ({error}); expected "
            f"symbol,date,{','.join(BAR_COLUMNS[1:])}"
        ) from error
    frame.columns = pd.Index([_column_name(str(column)) for column in frame.columns])
    frame["line"] = range(2, len(frame) + 2)
    frame["file"] = str(path)
    if "symbol" not in frame.columns:
        frame["symbol"] = _symbol_of(path)
    missing = [column for column in BAR_COLUMNS if column not in frame.columns]
    if missing:
        hint = (
            "; without adjusted prices, repeat close as adj_close: the forecasts are then of price "
            "returns"
            if missing == ["adj_close"]
            else ""
        )
        raise SourceDataError(
            f"{path}, line 1: the columns {', '.join(missing)} are missing; received "
            f"{header.decode(errors='replace').strip()!r}{hint}"
        )
    frame = frame[["file", "line", "symbol", *BAR_COLUMNS]]
    return frame.dropna(how="all", subset=list(BAR_COLUMNS)).assign(
        symbol=lambda rows: rows["symbol"].str.strip()
    )


def _column_name(spelling: str) -> str:
    plain = re.sub(r"[\s:_-]+", "_", spelling.strip().lower()).strip("_")
    return _OTHER_SPELLINGS.get(plain, plain)


def _parse_numbers(rows: pd.DataFrame, column: str) -> pd.Series[float]:
    numbers = pd.to_numeric(rows[column], errors="coerce")
    wrong = rows[numbers.isna() & rows[column].notna()]
    if not wrong.empty:
        raise _line_error(wrong, column, "a number with a decimal point, or nothing")
    return numbers


def _parse_dates(rows: pd.DataFrame, timezone: ZoneInfo) -> pd.Series[pd.Timestamp]:
    """Return the exchange's dates.

    A plain date, or midnight in any zone, is the date as written. Another time of day with a zone
    is a moment, and its date is the exchange's.
    """
    written = rows["trading_date"].fillna("").str.strip()
    day = pd.to_datetime(written.str[:10], format="%Y-%m-%d", errors="coerce")
    moment = pd.to_datetime(written, format="ISO8601", utc=True, errors="coerce")
    wrong = rows[day.isna() | moment.isna()]
    if not wrong.empty:
        raise _line_error(wrong, "trading_date", "a date as 2024-12-31, with or without a time")
    is_plain = written.str.fullmatch(r".{10}([T ]00:00(:00(\.0+)?)?.*)?")
    has_zone = written.str.fullmatch(r".{11,}(Z|[+-]\d\d(:?\d\d)?)")
    local = moment.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    return day.where(is_plain | ~has_zone, local)


def _line_error(wrong: pd.DataFrame, column: str, expected: str) -> SourceDataError:
    first = wrong.iloc[0]
    spelled = "date" if column == "trading_date" else column
    return SourceDataError(
        f"{first['file']}, line {first['line']}: {spelled} is {first[column]!r}; expected "
        f"{expected} ({len(wrong)} such lines of {first['symbol']})"
    )
