"""A file, or a folder of files, as a source of prices."""

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

from roi_forecast.errors import SourceDataError, SourceError, SourceUnavailableError
from roi_forecast.market.sources.csv_files.layout import recognise
from roi_forecast.market.sources.csv_files.lines import Line, read_lines
from roi_forecast.market.sources.csv_files.opening import MIB, opened_lines
from roi_forecast.market.sources.csv_files.values import WrittenDates, read_bars
from roi_forecast.market.sources.source import UnknownSymbolError, as_bars
from roi_forecast.quoting import listed, named
from roi_forecast.settings import DEFAULT_CSV_FILE_MIB
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

MAX_LINES = 50_000
"""Lines of one symbol in one file: two hundred years of sessions."""

_SUFFIX = re.compile(r"(\.csv|\.txt)?(\.gz)?\Z")


@dataclass
class _Found:
    """What the files say of one symbol.

    Attributes:
        lines: By file.
        error: Of a file that holds the symbol and cannot be read to its end.
    """

    lines: dict[Path, list[Line]] = field(default_factory=dict)
    error: SourceError | None = None


class CsvSource:
    """Bars from a file or a folder.

    Args:
        key: The `source` of its rows in the database.
        path: A file, or a folder of `.csv`, `.txt` and `.gz` files. Where one is named after an
            asset, that asset is read from it alone, else from all of them.
        allowed: Folder that every file lies in, links followed; None: the folder, or the file's.
        symbols: What will be fetched: where assets share files, these are read once for all.
        max_bytes: Bytes that are read of one file at most, unpacked.
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
        self._strangers: set[str] = set()
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
        """Look at the file from begin to end, or whether the folder has any.

        See `PriceSource.check_reachable`.
        """
        if self._is_folder:
            logger.info("%s: %d files", named(self._path), len(self._files))
        else:
            found = self._find(asset.symbol)
            count = sum(map(len, found.lines.values()))
            logger.info("%s: %d rows of %s", named(self._path), count, asset.symbol)

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> date:
        """Return the last date up to `until` on which one of the assets has a row.

        Raises:
            SourceDataError: None of them has one.
        """
        zones = {asset.symbol: asset.exchange.timezone for asset in assets}
        shared = {symbol for symbol in zones if symbol not in self._own_files}
        dates = WrittenDates(until)
        faults: list[str] = []
        for path in self._files:
            own = _symbol_of(path)
            asked = shared | {own} if own in zones else shared
            in_file = WrittenDates(until)
            try:
                for line in self._read(path, asked):
                    if line.fields:
                        in_file.add(zones[line.symbol], line.fields[:1])
                    elif not faults:
                        faults.append(f"{named(path)}, line {line.number}: {line.fault}")
                dates.join(in_file)
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
        """Read the asset's own files, or the shared ones for all that were announced."""
        paths = self._own_files.get(symbol)
        if paths:
            symbols = {symbol}
        else:
            paths = self._files
            symbols = {symbol, *self._symbols} - self._own_files.keys() - self._found.keys()
        found = {asked: _Found() for asked in symbols}
        for path in paths:
            lines: dict[str, list[Line]] = {}
            try:
                for line in self._read(path, symbols):
                    _keep(lines.setdefault(line.symbol, []), line)
            except SourceError as error:
                if not self._is_folder:
                    raise
                if symbol in self._own_files:
                    found[symbol].error = error
                    continue
                self._skip(error)
                for asked in lines:
                    found[asked].error = error
            else:
                for asked, own in lines.items():
                    found[asked].lines[path] = own
        self._found |= found

    def _read(self, path: Path, asked: Collection[str]) -> Iterator[Line]:
        if not asked:
            return
        name = named(path)
        with opened_lines(path, self._allowed_folder, self._max_bytes) as lines:
            layout = recognise(lines, name, _symbol_of(path))
            yield from read_lines(lines, layout, name, asked, self._strangers)

    def _skip(self, error: SourceError) -> None:
        if not self._is_folder:
            raise error
        logger.warning("left out: %s", error)
        self._broken.append(error)

    def _unknown(self, symbol: str) -> SourceError:
        for error in self._broken:
            if isinstance(error, SourceUnavailableError):
                return error
        if not self._strangers and not self._broken:
            return SourceDataError(
                f"{named(self._path)}: a header but no rows; expected one row per bar"
            )
        left_out = f"; left out: {self._broken[0]}" if self._broken else ""
        return UnknownSymbolError(
            f"{symbol}: {named(self._path)} has no row of this symbol; it has {self._known()}: "
            f"leave the symbol out or add its rows{left_out}"
        )

    def _known(self) -> str:
        """Name some of the symbols that the files have rows of."""
        known = sorted({*self._strangers, *(s for s, found in self._found.items() if found.lines)})
        return f"{listed(known)} and perhaps more" if known else "none"

    @cached_property
    def _is_folder(self) -> bool:
        return self._path.is_dir()

    @cached_property
    def _allowed_folder(self) -> Path:
        if self._allowed is not None:
            return self._allowed
        # Whoever names a file by a link means what it leads to.
        return self._path if self._is_folder else Path(os.path.realpath(self._path)).parent

    @cached_property
    def _files(self) -> list[Path]:
        """The file, or those of the folder; hidden ones and other suffixes are not for prices."""
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
        """The files of a folder by the symbol that their name stands for."""
        files: dict[str, list[Path]] = {}
        for path in self._files if self._is_folder else ():
            files.setdefault(_symbol_of(path), []).append(path)
        return files


def _symbol_of(path: Path) -> str:
    return _SUFFIX.sub("", path.name)


def _keep(lines: list[Line], line: Line) -> None:
    if len(lines) < MAX_LINES:
        lines.append(line)
    elif len(lines) == MAX_LINES:
        fault = f"more than {MAX_LINES:,} lines of one symbol; expected one a trading date"
        lines.append(line._replace(fields=(), fault=fault))
