"""The CSV source: which file holds which asset."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from roi_forecast.config import RunConfig
from roi_forecast.errors import ConfigError, SourceDataError, SourceError, SourceUnavailableError
from roi_forecast.files.artifacts import confined
from roi_forecast.market.sources.csv_files.layout import read_header
from roi_forecast.market.sources.csv_files.lines import Line, read_lines
from roi_forecast.market.sources.csv_files.opening import MIB, opened_lines
from roi_forecast.market.sources.csv_files.values import WrittenDates, read_bars
from roi_forecast.market.sources.source import PriceSource, UnknownSymbolError, as_bars
from roi_forecast.quoting import listed, named
from roi_forecast.settings import DEFAULT_CSV_FILE_MIB, Settings
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

MAX_LINES = 50_000
"""Lines of one symbol in one file; two hundred years of sessions."""

_SUFFIX = re.compile(r"(\.csv|\.txt)?(\.gz)?\Z")


@dataclass
class _Found:
    """The lines of one symbol by file, and the error of a file that breaks off after some."""

    lines: dict[Path, list[Line]] = field(default_factory=dict)
    error: SourceError | None = None


class CsvSource:
    """Bars from a file or a folder.

    Args:
        key: The `source` of its rows in the database.
        path: A file, or a folder of `.csv`, `.txt` and `.gz` files. An asset is read from the
            files named after it if there are any, else from all of them.
        allowed: Folder that must contain every file after following links; None: `path` if it is a
            folder, else the folder of the file.
        symbols: The symbols to fetch; files that assets share are read once for all of them.
        max_bytes: Maximum bytes read from one file, after unpacking.
    """

    def __init__(
        self,
        key: str,
        path: Path,
        *,
        allowed: Path | None = None,
        symbols: Sequence[str] = (),
        max_bytes: int = DEFAULT_CSV_FILE_MIB * MIB,
    ) -> None:
        self.key = key
        self._path = path
        self._allowed = allowed
        self._symbols = symbols
        self._max_bytes = max_bytes
        self._found: dict[str, _Found] = {}
        self._other_symbols: set[str] = set()
        self._broken: list[SourceError] = []

    def fetch(self, asset: Asset, start: date, end: date) -> pd.DataFrame:
        """Return the asset's bars; see `PriceSource.fetch`.

        Raises:
            SourceUnavailableError: There is no such file or folder.
            UnknownSymbolError: No row has this symbol.
            SourceDataError: Names the file, the line and what was expected there.
        """
        found = self._find(asset.symbol)
        if found.error is not None:
            raise found.error
        if not found.lines:
            raise self._unknown(asset.symbol)
        frames = [
            read_bars(lines, named(path), asset.exchange.timezone)
            for path, lines in found.lines.items()
        ]
        return as_bars(pd.concat(frames, ignore_index=True), asset, start, end)

    def check_reachable(self, asset: Asset) -> None:
        """Read the file to its end, or list the folder; see `PriceSource.check_reachable`."""
        if self._is_folder:
            logger.info("%s: %d files", named(self._path), len(self._files))
        else:
            found = self._find(asset.symbol)
            count = sum(map(len, found.lines.values()))
            logger.info("%s: %d rows of %s", named(self._path), count, asset.symbol)

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> date:
        """Return the last date up to `until` on which an asset has a row.

        Raises:
            SourceDataError: There is none.
        """
        zones = {asset.symbol: asset.exchange.timezone for asset in assets}
        shared = zones.keys() - self._own_files.keys()
        dates = WrittenDates(until)
        faults: list[str] = []
        for path in self._files:
            wanted = shared | ({_symbol_of(path)} & zones.keys())
            in_file = WrittenDates(until)
            try:
                for line in self._read(path, wanted):
                    if line.fields:
                        in_file.add(zones[line.symbol], line.fields[:1])
                    elif not faults:
                        faults.append(f"{named(path)}, line {line.number}: {line.fault}")
                dates.merge(in_file)
            except SourceError as error:
                self._skip(error)
                faults.append(str(error))
        latest = dates.latest()
        if latest is None:
            reason = faults[0] if faults else f"it has {self._known()}"
            raise SourceDataError(
                f"{named(self._path)}: no row up to {until} of any of the {len(assets)} assets; "
                f"{reason}"
            )
        return latest

    def _find(self, symbol: str) -> _Found:
        if symbol not in self._found:
            self._search(symbol)
        return self._found[symbol]

    def _search(self, symbol: str) -> None:
        """Read the asset's own files, or the shared files for all announced symbols."""
        paths = self._own_files.get(symbol)
        if paths:
            symbols = {symbol}
        else:
            paths = self._files
            symbols = {symbol, *self._symbols} - self._own_files.keys() - self._found.keys()
        found = {each: _Found() for each in symbols}
        for path in paths:
            lines: dict[str, list[Line]] = {}
            try:
                for line in self._read(path, symbols):
                    _append(lines.setdefault(line.symbol, []), line)
            except SourceError as error:
                if not self._is_folder:
                    raise
                if symbol in self._own_files:
                    found[symbol].error = error
                    continue
                self._skip(error)
                for each in lines:
                    found[each].error = error
            else:
                for each, own in lines.items():
                    found[each].lines[path] = own
        self._found |= found

    def _read(self, path: Path, wanted: Collection[str]) -> Iterator[Line]:
        if not wanted:
            return
        name = named(path)
        with opened_lines(path, self._allowed_folder, self._max_bytes) as lines:
            layout = read_header(lines, name, _symbol_of(path))
            yield from read_lines(lines, layout, name, wanted, self._other_symbols)

    def _skip(self, error: SourceError) -> None:
        if not self._is_folder:
            raise error
        logger.warning("file skipped: %s", error)
        self._broken.append(error)

    def _unknown(self, symbol: str) -> SourceError:
        for error in self._broken:
            if isinstance(error, SourceUnavailableError):
                return error
        if not self._other_symbols and not self._broken:
            return SourceDataError(
                f"{named(self._path)}: a header but no rows; expected one row per bar"
            )
        skipped = f"; skipped: {self._broken[0]}" if self._broken else ""
        return UnknownSymbolError(
            f"{symbol}: {named(self._path)} has no row of this symbol; it has {self._known()}: "
            f"leave the symbol out or add its rows{skipped}"
        )

    def _known(self) -> str:
        """List some symbols that have rows in the files."""
        known = sorted(
            {*self._other_symbols, *(s for s, found in self._found.items() if found.lines)}
        )
        return f"{listed(known)} and perhaps more" if known else "none"

    @cached_property
    def _is_folder(self) -> bool:
        return self._path.is_dir()

    @cached_property
    def _allowed_folder(self) -> Path:
        if self._allowed is not None:
            return self._allowed
        # A link that the user names may lead anywhere.
        return self._path if self._is_folder else Path(os.path.realpath(self._path)).parent

    @cached_property
    def _files(self) -> list[Path]:
        """The file, or those in the folder; hidden files and other suffixes do not count."""
        if not self._is_folder:
            return [self._path]
        try:
            paths = sorted(self._path.iterdir())
        except OSError as error:
            raise SourceUnavailableError(
                f"{named(self._path)}: cannot be read ({error.strerror})"
            ) from error
        files = [
            path
            for path in paths
            if not path.name.startswith(".") and path.suffix in {".csv", ".txt", ".gz"}
        ]
        if not files:
            raise SourceDataError(f"{named(self._path)}: the folder has no .csv, .txt or .gz file")
        return files

    @cached_property
    def _own_files(self) -> dict[str, list[Path]]:
        """The files in the folder by the symbol that they are named after."""
        files: dict[str, list[Path]] = {}
        for path in self._files if self._is_folder else ():
            files.setdefault(_symbol_of(path), []).append(path)
        return files


def open_source(config: RunConfig, settings: Settings, symbols: Sequence[str]) -> PriceSource:
    """Return the source; see `registry.open_source`."""
    path, folder = Path(str(config.csv_path)), settings.csv_directory
    if folder is not None:
        try:
            path = confined(folder, path, ConfigError)
        except ConfigError as error:
            raise ConfigError(f"csv_path: {error}") from None
    return CsvSource(
        config.source_key,
        path,
        allowed=folder,
        symbols=symbols,
        max_bytes=settings.csv_file_mib * MIB,
    )


def _symbol_of(path: Path) -> str:
    return _SUFFIX.sub("", path.name)


def _append(lines: list[Line], line: Line) -> None:
    if len(lines) < MAX_LINES:
        lines.append(line)
    elif len(lines) == MAX_LINES:
        fault = f"more than {MAX_LINES:,} lines of one symbol; expected one per trading date"
        lines.append(line._replace(fields=(), fault=fault))
