"""The symbols that the rows of a file name, and their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roi_forecast.market.sources.csv_files.layout.columns import meaning_of
from roi_forecast.market.sources.csv_files.layout.exchanges import EXCHANGES
from roi_forecast.market.sources.csv_files.layout.symbols import Spelling, canonical
from roi_forecast.universe.symbols import suffix_of

MAX_FIELD = 64
"""Characters of a symbol, date, price or volume."""

MAX_OTHER_SYMBOLS = 10_000
"""Number of symbols remembered that are in the files but were not requested."""

_MAX_KNOWN = 200_000
_OTHER = -1


@dataclass
class SymbolNumbers:
    """Numbers the wanted symbols of a file from 0, in the order in which they come.

    Attributes:
        spelling: Of the file's symbols.
        file_symbol: The symbol that the file is named after.
        wanted: The symbols to number; None: all.
        symbols: By number.
        others: Symbols of the file that are not wanted.
    """

    spelling: Spelling
    file_symbol: str
    wanted: Collection[str] | None
    symbols: list[str] = field(default_factory=list)
    others: dict[str, None] = field(default_factory=dict)
    _known: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # In `600519.SS.csv`, a line of 600519 leaves no doubt about its exchange.
        suffix = suffix_of(self.file_symbol)
        self._file_root = self.file_symbol.removesuffix(suffix) if suffix else None

    def take(self, symbols: Iterable[str]) -> None:
        """Number the wanted ones of symbols that head columns; the rest are others."""
        for symbol in symbols:
            if self._is_wanted(symbol):
                self.symbols.append(symbol)
            else:
                self.others[symbol] = None

    def of_rows(self, symbols: pa.Array, exchanges: pa.Array | None) -> npt.NDArray[np.int64]:
        """Return the number of each row's symbol, negative if it is not wanted.

        Args:
            symbols: As written.
            exchanges: As written, if a column has them.
        """
        encoded = _with_exchange(symbols, exchanges).dictionary_encode()
        own = [self._number(text) for text in encoded.dictionary.to_pylist()]
        places = encoded.indices.to_numpy(zero_copy_only=False)
        numbers: npt.NDArray[np.int64] = np.array(own, np.int64)[places]
        return numbers

    def _is_wanted(self, symbol: str) -> bool:
        return self.wanted is None or symbol in self.wanted

    def _number(self, written: str) -> int:
        number = self._known.get(written)
        if number is not None:
            return number
        symbol = canonical(written, self.spelling) if len(written) <= MAX_FIELD else ""
        if symbol == self._file_root:
            symbol = self.file_symbol
        if symbol and self._is_wanted(symbol):
            number = self._known.get(f"={symbol}", len(self.symbols))
            if number == len(self.symbols):
                self._known[f"={symbol}"] = number
                self.symbols.append(symbol)
        else:
            number = _OTHER
            if symbol and len(self.others) < MAX_OTHER_SYMBOLS and meaning_of(written) is None:
                self.others[symbol] = None
        if len(self._known) < _MAX_KNOWN and len(written) <= MAX_FIELD:
            self._known[written] = number
        return number


def _with_exchange(symbols: pa.Array, exchanges: pa.Array | None) -> pa.Array:
    """Return the symbols, after the exchange if its column names one that is known."""
    if exchanges is None:
        return symbols
    exchanges = pc.utf8_upper(pc.utf8_trim_whitespace(exchanges))
    adds = pc.and_not(
        pc.is_in(exchanges, pa.array(list(EXCHANGES))),
        pc.match_substring_regex(symbols, r":|^\s*$"),
    )
    return pc.if_else(adds, pc.binary_join_element_wise(exchanges, symbols, ":"), symbols)
