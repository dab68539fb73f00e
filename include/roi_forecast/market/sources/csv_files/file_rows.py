"""The rows of one file, read as dates and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roi_forecast.market.bars import BAR_COLUMNS
from roi_forecast.market.sources.csv_files.collecting import Collector
from roi_forecast.market.sources.csv_files.conventions import Conventions, Decimal
from roi_forecast.market.sources.csv_files.faults import Fault, is_event
from roi_forecast.market.sources.csv_files.layout.positions import NAMED_IN_LINE
from roi_forecast.market.sources.csv_files.layout.symbols import canonical
from roi_forecast.market.sources.csv_files.symbol_rows import SymbolRows
from roi_forecast.market.sources.csv_files.values.dates import Moments, read_dates
from roi_forecast.market.sources.csv_files.values.example import Example
from roi_forecast.market.sources.csv_files.values.numbers import read_numbers
from roi_forecast.quoting import quoted


class _Column(NamedTuple):
    """Numbers of all rows, and the texts that are none.

    Attributes:
        values: Shape (rows,).
        wrong: Row of each such text, ascending.
        texts: The texts.
        is_open: Whether csv_decimal would settle the text.
    """

    values: npt.NDArray[np.float64]
    wrong: npt.NDArray[np.int64]
    texts: pa.Array
    is_open: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, chunks: list[pa.Array], decimal: Decimal) -> Self:
        parts = []
        while chunks:
            texts = chunks.pop(0)
            read = read_numbers(texts, decimal)
            wrong = np.flatnonzero(~read.is_valid)
            parts.append((read.values, wrong, texts.take(pa.array(wrong)), read.is_open[wrong]))
        values, wrongs, texts, is_open = zip(*parts, strict=True)
        starts = np.cumsum([0, *map(len, values[:-1])])
        wrong = np.concatenate([own + start for own, start in zip(wrongs, starts, strict=True)])
        joined = pa.concat_arrays(texts)
        return cls(np.concatenate(values), wrong, joined, np.concatenate(is_open))


class FileRows:
    """What was read of one file.

    Attributes:
        symbols: Those with rows or faults, in the order of the file.
        others: Symbols that are in the file and were not asked for.
        decided: What was decided about dates and numbers and why, a phrase each.

    Args:
        collector: The rows.
        conventions: What the run settles.
        packing: How the file is packed.
        encoding: Of its text.

    Raises:
        SourceDataError: The file contradicts itself about how it writes dates or numbers.
    """

    def __init__(
        self, collector: Collector, conventions: Conventions, packing: str, encoding: str
    ) -> None:
        layout = collector.layout
        self.name, self.layout = collector.name, layout
        self.packing, self.encoding = packing, encoding
        self.others = tuple(collector.others)
        self.collector = collector
        self.faults = _attributed(collector)
        self._dates, why_dates = collector.dates.decide(
            conventions.dates, layout.format.dates, collector.name
        )
        self._decimal, why_decimal = collector.numbers.decide(conventions.decimal, collector.name)
        self.decided = tuple(why for why in (why_dates, why_decimal) if why)
        self._read = read_dates(collector.date_texts, self._dates)
        texts = collector.date_texts
        self._blank = texts.index("") if "" in texts else -1
        self._events: set[int] = set()
        self._lines = _joined(collector.lines)
        self._date_codes = _joined(collector.date_codes)
        self._codes = {symbol: code for code, symbol in enumerate(collector.symbols)}
        if layout.symbol_at is not None:
            codes = _joined(collector.codes)
            self._order = np.argsort(codes, kind="stable")
            bounds = np.arange(len(collector.symbols) + 1)
            self._bounds = np.searchsorted(codes[self._order], bounds)
        known = collector.symbols
        if layout.symbol_at is not None:
            known = [own for at, own in enumerate(known) if self._holds_rows(at)]
        self.symbols = tuple(dict.fromkeys((*known, *self.faults)))
        # One after another, so that the texts of a column are gone before the next one is read.
        self._columns = {
            at: _Column.of(collector.chunks.pop(at), self._decimal) for at in list(collector.chunks)
        }

    def _holds_rows(self, code: int) -> bool:
        """Return whether a symbol has rows; where all are read, a line of totals is none."""
        rows = self._order[self._bounds[code] : self._bounds[code + 1]]
        if self.collector.wanted is not None or len(rows) == 0:
            return len(rows) > 0
        dates = np.unique(self._date_codes[rows[:100]])
        texts = (self.collector.date_texts[at] for at in dates)
        if any(character.isdigit() for text in texts for character in text):
            return True
        self.collector.remarks += len(rows)
        return False

    @property
    def why_empty(self) -> str:
        """Why the file has no rows: its first line that cannot be divided, if there is one."""
        if not self.collector.loose:
            return f"{self.name}: a header but no rows; expected one row per bar"
        first, count = self.collector.loose[0], len(self.collector.loose)
        plural = "s" * (count > 1)
        place = f"{self.name}, {self.collector.row} {first.line}"
        return f"{place}: {first.fault} ({count} such line{plural})"

    @property
    def repeated(self) -> int:
        """Number of headers repeated between rows."""
        return self.collector.repeated

    @property
    def left_out(self) -> int:
        """Number of rows that the format does not count, such as bonds in a bhavcopy."""
        return self.collector.left_out

    @property
    def remarks(self) -> int:
        """Number of rows of events and remarks, as far as their symbols were read."""
        return self.collector.remarks + len(self._events)

    def rows_of(self, symbol: str) -> SymbolRows:
        """Return the rows of one of `symbols`."""
        layout = self.layout
        own = layout.columns.get(NAMED_IN_LINE) or self.collector.columns[symbol]
        if layout.symbol_at is None:
            rows = np.arange(len(self._lines))
        else:
            code = self._codes.get(symbol)
            start, stop = (0, 0) if code is None else self._bounds[code : code + 2]
            rows = self._order[start:stop]
        currencies = self.collector.currencies.get(self._codes.get(symbol, -1), {})
        if layout.symbol_at is None:
            currencies = self.collector.currencies.get(0, {})
        texts = {column: self._texts(at, rows) for column, at in own.items()}
        values = {column: self._values(at, rows) for column, at in own.items()}
        is_used = self._are_used(rows, values, texts)
        rows, values = rows[is_used], {column: v[is_used] for column, v in values.items()}
        # A column without any value is as good as none.
        empty = {c for c, v in values.items() if c != "close" and np.isnan(v).all()}
        empty -= {column for column, wrong in texts.items() if wrong}
        values = {column: v for column, v in values.items() if column not in empty or not len(v)}
        faults = [self.faults[symbol]] if symbol in self.faults else []
        used = set(rows.tolist())
        for column in BAR_COLUMNS:
            wrong = {row: text for row, text in texts.get(column, {}).items() if row in used}
            if wrong:
                faults.append(self._number_fault(column, wrong))
        if len(currencies) > 1:
            (one, _), (other, line) = sorted(currencies.items(), key=lambda pair: pair[1])[:2]
            text = f"prices in {other} after prices in {one}; keep rows of one currency"
            faults.append(Fault(line, text, is_of_line=False))
        codes = self._date_codes[rows]
        hint = ""
        if self._dates == "auto":
            examples = " and ".join(map(str, self.collector.dates.examples))
            hint = (
                f"the file leaves it open ({examples}); set csv_dates to day_first or month_first"
            )
        return SymbolRows(
            symbol=symbol,
            place=f"{self.name}, {self.collector.row}",
            lines=self._lines[rows],
            dates=Moments(self._read.days[codes], self._read.moments[codes]),
            date_texts=_Texts(self.collector.date_texts, codes),
            date_hint=hint,
            values=values,
            faults=tuple(faults),
            currency=next(iter(currencies), None),
            missing=tuple(c for c in BAR_COLUMNS[1:] if c not in values),
        )

    def _values(self, at: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        column = self._columns.get(at)
        return np.empty(0) if column is None else column.values[rows]

    def _texts(self, at: int, rows: npt.NDArray[np.int64]) -> dict[int, tuple[str, bool]]:
        """Return the texts that are no numbers, by row."""
        column = self._columns.get(at)
        if column is None or not len(column.wrong):
            return {}
        places = np.flatnonzero(np.isin(column.wrong, rows, assume_unique=True))
        return {
            int(column.wrong[place]): (column.texts[place].as_py(), bool(column.is_open[place]))
            for place in places
        }

    def _are_used(
        self,
        rows: npt.NDArray[np.int64],
        values: Mapping[str, npt.NDArray[np.float64]],
        texts: Mapping[str, Mapping[int, tuple[str, bool]]],
    ) -> npt.NDArray[np.bool_]:
        """Return which rows hold a bar: not events, blank rows, or days of other assets."""
        is_empty = np.logical_and.reduce([np.isnan(v) for v in values.values()])
        # A line of units under the header, say: neither a date nor a number.
        is_event_row = is_empty & (self._date_codes[rows] == self._blank)
        for wrong in texts.values():
            at = np.flatnonzero(np.isin(rows, list(wrong)))
            is_empty[at] = False
            for place in at:
                is_event_row[place] |= is_event(wrong[int(rows[place])][0])
        self._events.update(rows[is_event_row].tolist())
        if self.layout.symbol_at is None and len(self.layout.columns) > 1:
            own: npt.NDArray[np.bool_] = ~is_event_row & ~is_empty
            return own
        is_blank = is_empty & (self._date_codes[rows] == self._blank)
        used: npt.NDArray[np.bool_] = ~is_event_row & ~is_blank
        return used

    def _number_fault(self, column: str, wrong: Mapping[int, tuple[str, bool]]) -> Fault:
        row = min(wrong)
        text, is_open = wrong[row]
        if is_open:
            numbers = self.collector.numbers
            other = numbers.grouped_by_comma or numbers.grouped_by_point
            example = f" (as does {other})" if isinstance(other, Example) else ""
            expected = (
                f"a number that can be read in one way{example}; set csv_decimal to point or comma"
            )
        elif self._decimal == "comma":
            expected = "a number with a decimal comma, or nothing"
        else:
            expected = "a number with a decimal point, or nothing"
        fault = f"{column} is {quoted(text)}; expected {expected}"
        return Fault(int(self._lines[row]), fault, len(wrong), is_of_line=False)


class _Texts(Sequence[str]):
    """Texts by their numbers."""

    def __init__(self, texts: Sequence[str], codes: npt.NDArray[np.int32]) -> None:
        self._known, self._codes = texts, codes

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        return str(self._known[self._codes[at]])


def _joined(parts: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    joined = np.concatenate(parts) if parts else np.empty(0, np.int32)
    parts.clear()
    return joined


def _attributed(collector: Collector) -> dict[str, Fault]:
    """Return the faults by symbol, those of undivided lines with the symbols that have rows."""
    faults = dict(collector.faults)
    known = set(collector.symbols)
    for line in collector.loose:
        named = {canonical(text, collector.spelling) for text in line.fields if len(text) <= 64}
        for symbol in sorted(named & known):
            first = faults.get(symbol, Fault(line.line, line.fault, 0))
            faults[symbol] = first._replace(lines=first.lines + 1)
    return faults
