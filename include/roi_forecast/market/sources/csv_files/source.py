"""The CSV source: which file holds which asset."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from roi_forecast.config import RunConfig
from roi_forecast.errors import SourceDataError, SourceError, SourceUnavailableError
from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files.content.opening import MIB
from roi_forecast.market.sources.csv_files.conventions import AS_THE_FILE_SHOWS, Conventions
from roi_forecast.market.sources.csv_files.faults import described
from roi_forecast.market.sources.csv_files.file_rows import FileRows
from roi_forecast.market.sources.csv_files.folder import PriceFiles
from roi_forecast.market.sources.csv_files.layout.symbols import refusal_of
from roi_forecast.market.sources.csv_files.reading import BrokenOffError, read_file
from roi_forecast.market.sources.csv_files.symbol_rows import SymbolRows
from roi_forecast.market.sources.price_path import price_path
from roi_forecast.market.sources.source import (
    FetchedBars,
    PriceSource,
    UnknownSymbolError,
    as_bars,
)
from roi_forecast.quoting import listed, named
from roi_forecast.settings import DEFAULT_CSV_FILE_MIB, Settings
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)


@dataclass
class _Found:
    """The files with rows of one symbol, and the error of a file that breaks off after some."""

    symbol: str
    files: list[FileRows] = field(default_factory=list)
    error: SourceError | None = None

    def rows(self) -> list[SymbolRows]:
        """Return the symbol's rows by file."""
        return [file.rows_of(self.symbol) for file in self.files]


class CsvSource:
    """Bars from a file or a folder.

    Args:
        key: The `source` of its rows in the database.
        path: A file, or a folder of files with one of `folder.ENDINGS`. An asset is read from the
            files named after it if there are any, else from all of them.
        allowed: Folder that must contain every file after following links; None: `path` if it is a
            folder, else the folder of the file.
        symbols: The symbols to fetch; files that assets share are read once for all of them.
        conventions: What the run settles about dates, numbers and symbols.
        max_bytes: Maximum bytes read from one file, after unpacking.
    """

    def __init__(
        self,
        key: str,
        path: Path,
        *,
        allowed: Path | None = None,
        symbols: Sequence[str] = (),
        conventions: Conventions = AS_THE_FILE_SHOWS,
        max_bytes: int = DEFAULT_CSV_FILE_MIB * MIB,
    ) -> None:
        self.key = key
        self._path = path
        self._files = PriceFiles(path, allowed, conventions.suffix)
        self._symbols = symbols
        self._conventions = conventions
        self._max_bytes = max_bytes
        self._found: dict[str, _Found] = {}
        self._other_symbols: set[str] = set()
        self._broken: list[SourceError] = []

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of the files, in their order, without those that are refused.

        The files are read once, however often it is asked. A symbol is refused if no exchange of
        the universe takes it; a warning says why. Files that cannot be used are skipped in a
        folder.

        Raises:
            SourceUnavailableError: There is no such file or folder.
            SourceDataError: The file cannot be used, or no symbol is left.
        """
        return self._own_symbols

    @cached_property
    def _own_symbols(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for path in self._files.paths:
            try:
                read = self._read(path, None)
            except SourceError as error:
                self._skip(error)
                continue
            if not read.symbols:
                self._skip(SourceDataError(read.why_empty))
            found |= dict.fromkeys(read.symbols)
        refusals = {symbol: refusal_of(symbol) for symbol in found}
        for refusal in filter(None, refusals.values()):
            logger.warning("%s: left out: %s", named(self._path), refusal)
        symbols = tuple(symbol for symbol, refusal in refusals.items() if refusal is None)
        if not symbols:
            reason = next(filter(None, refusals.values()), None)
            reason = reason or next(map(str, self._broken), "it has no rows")
            raise SourceDataError(f"{named(self._path)}: no symbol of a known exchange; {reason}")
        return symbols

    def fetch(self, asset: Asset, start: date, end: date) -> FetchedBars:
        """Return the asset's bars; see `PriceSource.fetch`.

        Raises:
            SourceUnavailableError: There is no such file or folder.
            UnknownSymbolError: No row has this symbol.
            SourceDataError: Names the file, the line and what was expected there.
        """
        found = self._find(asset.symbol)
        if found.error is not None:
            raise found.error
        if not found.files:
            raise self._unknown(asset.symbol)
        parts = found.rows()
        _require_one_kind_of_close(parts)
        frames = [rows.bars(asset.exchange) for rows in parts]
        every_bar = pd.concat(frames, ignore_index=True)
        # What one of several files has is not missing.
        lacking = set.intersection(*(rows.lacking for rows in parts))
        if "adj_close" in lacking:
            every_bar["adj_close"] = every_bar["close"]
        bars = as_bars(every_bar, asset, start, end)
        currencies = sorted({rows.currency for rows in parts if rows.currency is not None})
        if len(currencies) > 1:
            raise SourceDataError(
                f"{asset.symbol}: {named(self._path)} has prices in {listed(currencies)}; keep "
                "files of one currency"
            )
        missing = tuple(c for c in BAR_COLUMNS if c in lacking)
        return FetchedBars(bars, missing, currency=next(iter(currencies), None))

    def check_reachable(self, asset: Asset) -> None:
        """Read the file to its end, or list the folder; see `PriceSource.check_reachable`."""
        if self._files.is_folder:
            logger.info("%s: %d files", named(self._path), len(self._files.paths))
        else:
            found = self._find(asset.symbol)
            count = sum(len(rows.lines) for rows in found.rows())
            logger.info("%s: %d rows of %s", named(self._path), count, asset.symbol)

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> date:
        """Return the last date up to `until` on which an asset has a row.

        Raises:
            SourceDataError: There is none.
        """
        latest: list[date] = []
        faults: list[str] = []
        self._announce(asset.symbol for asset in assets)
        for asset in assets:
            try:
                found = self._find(asset.symbol)
            except SourceError as error:
                if not self._files.is_folder:
                    raise
                faults.append(str(error))
                continue
            if found.error is not None:
                faults.append(str(found.error))
                continue
            for rows in found.rows():
                days = rows.trading_dates(asset.exchange.timezone)
                wrong = rows.faults_of(days, asset.exchange)
                faults += [described(rows.place, wrong[0], rows.symbol)] if wrong else []
                days = days[days <= np.datetime64(until)]
                latest += [days.max().item()] if len(days) else []
        if not latest:
            faults += map(str, self._broken)
            reason = faults[0] if faults else f"it has {self._known()}"
            raise SourceDataError(
                f"{named(self._path)}: no row up to {until} of any of the {len(assets)} assets; "
                f"{reason}"
            )
        return max(latest)

    def _announce(self, symbols: Iterable[str]) -> None:
        """Have shared files read for these symbols, too, when they are read next."""
        self._symbols = tuple(dict.fromkeys((*self._symbols, *symbols)))

    def _find(self, symbol: str) -> _Found:
        if symbol not in self._found:
            self._search(symbol)
        return self._found[symbol]

    def _search(self, symbol: str) -> None:
        """Read the asset's own files, or the shared files for all announced symbols."""
        paths = self._files.by_symbol.get(symbol)
        if paths:
            symbols = {symbol}
        else:
            paths = self._files.paths
            symbols = {symbol, *self._symbols} - self._files.by_symbol.keys() - self._found.keys()
        found = {each: _Found(each) for each in symbols}
        for path in paths:
            try:
                read = self._read(path, symbols)
            except SourceError as error:
                if not self._files.is_folder:
                    raise
                if symbol in self._files.by_symbol:
                    found[symbol].error = error
                    continue
                self._skip(error)
                if isinstance(error, BrokenOffError):
                    for each in error.symbols:
                        found[each].error = error
            else:
                self._other_symbols.update(read.others)
                for each in read.symbols:
                    found[each].files.append(read)
        self._found |= found

    def _read(self, path: Path, wanted: Collection[str] | None) -> FileRows:
        return read_file(
            path,
            wanted,
            self._conventions,
            allowed=self._files.allowed_folder,
            max_bytes=self._max_bytes,
        )

    def _skip(self, error: SourceError) -> None:
        if not self._files.is_folder:
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
            {*self._other_symbols, *(s for s, found in self._found.items() if found.files)}
        )
        return f"{listed(known)} and perhaps more" if known else "none"


def _require_one_kind_of_close(parts: Sequence[SymbolRows]) -> None:
    """Refuse bars of which some have an adjusted close: the others would look like jumps."""
    lacks = [rows.place for rows in parts if "adj_close" in rows.lacking]
    has = [rows.place for rows in parts if "adj_close" not in rows.lacking]
    if lacks and has:
        raise SourceDataError(
            f"{parts[0].symbol}: {lacks[0].rpartition(',')[0]} has no adjusted close, but "
            f"{has[0].rpartition(',')[0]} has; keep files of one kind"
        )


def open_source(config: RunConfig, settings: Settings, symbols: Sequence[str]) -> PriceSource:
    """Return the source; see `registry.open_source`."""
    return CsvSource(
        config.source_key,
        price_path(config, settings),
        allowed=settings.csv_directory,
        symbols=symbols,
        conventions=Conventions(config.csv_dates, config.csv_decimal, config.csv_suffix or ""),
        max_bytes=settings.csv_file_mib * MIB,
    )
