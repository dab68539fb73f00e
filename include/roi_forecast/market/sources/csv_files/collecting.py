"""Collecting the rows of some symbols from the blocks of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.faults import Fault, is_event
from roi_forecast.market.sources.csv_files.layout.columns import meaning_of, plain
from roi_forecast.market.sources.csv_files.layout.formats import GENERAL_NAMES
from roi_forecast.market.sources.csv_files.layout.positions import NAMED_IN_LINE, Layout
from roi_forecast.market.sources.csv_files.layout.symbols import Spelling, canonical, currency_of
from roi_forecast.market.sources.csv_files.rows import FaultyLine, Rows
from roi_forecast.market.sources.csv_files.symbol_numbers import (
    MAX_FIELD,
    MAX_OTHER_SYMBOLS,
    SymbolNumbers,
)
from roi_forecast.market.sources.csv_files.values.date_evidence import DateEvidence
from roi_forecast.market.sources.csv_files.values.example import Example
from roi_forecast.market.sources.csv_files.values.numbers import NumberEvidence
from roi_forecast.quoting import quoted

MAX_LINES = 50_000
"""Lines of one symbol in one file; two hundred years of sessions."""


@dataclass
class Collector:
    """Takes the rows of a file block by block and keeps those that are wanted.

    Attributes:
        layout: Of the file.
        name: The file's name in errors.
        spelling: Of its symbols.
        file_symbol: The symbol that the file is named after.
        wanted: The symbols to keep; None: all.
        row: What a row is called in errors.
    """

    layout: Layout
    name: str
    spelling: Spelling
    file_symbol: str
    wanted: Collection[str] | None
    row: str = "line"
    faults: dict[str, Fault] = field(default_factory=dict)
    loose: list[FaultyLine] = field(default_factory=list)
    remarks: int = 0
    repeated: int = 0
    left_out: int = 0
    currencies: dict[int, dict[str, int]] = field(default_factory=dict)
    dates: DateEvidence = field(default_factory=DateEvidence)
    numbers: NumberEvidence = field(default_factory=NumberEvidence)
    date_texts: list[str] = field(default_factory=list)
    chunks: dict[int, list[pa.Array]] = field(default_factory=dict)
    lines: list[npt.NDArray[np.int32]] = field(default_factory=list)
    codes: list[npt.NDArray[np.int32]] = field(default_factory=list)
    date_codes: list[npt.NDArray[np.int32]] = field(default_factory=list)
    _known_dates: dict[str, int] = field(default_factory=dict)
    _counts: list[int] = field(default_factory=list)
    _words: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.numbered = SymbolNumbers(self.spelling, self.file_symbol, self.wanted)
        self.columns: dict[str, Mapping[str, int]] = {}
        for written, own in self.layout.columns.items():
            if written == NAMED_IN_LINE:
                self.value_positions: list[int] = list(own.values())
                return
            if written is None and plain(self.file_symbol) in GENERAL_NAMES:
                raise SourceDataError(
                    f"{self.name}: neither a column nor the file's name says whose prices these "
                    "are; name the file after the symbol, such as AAPL.csv, or add a column symbol"
                )
            symbol = self.file_symbol if written is None else canonical(written, self.spelling)
            if symbol in self.columns:
                raise SourceDataError(
                    f"{self.name}: two columns are of the symbol {quoted(symbol)}; keep one of them"
                )
            self.columns[symbol] = own
        self.numbered.take(self.columns)
        kept = {at for symbol in self.symbols for at in self.columns[symbol].values()}
        self.value_positions = sorted(kept)

    @property
    def symbols(self) -> list[str]:
        """The wanted symbols so far; a row's code is the place of its own."""
        return self.numbered.symbols

    @property
    def others(self) -> dict[str, None]:
        """The symbols so far that are not wanted."""
        return self.numbered.others

    @property
    def positions(self) -> list[int]:
        """The columns that `add` needs."""
        layout = self.layout
        values = {at for own in layout.columns.values() for at in own.values()}
        rest = {
            layout.date_at, layout.symbol_at, layout.exchange_at, layout.currency_at,
            layout.change_at,
        }  # fmt: skip
        needed = values | rest | {*layout.empty_at, *(layout.kept_at or ())}
        return sorted(at for at in needed if at is not None)

    def add(self, rows: Rows, fields_of: Callable[[int], Sequence[str]]) -> None:
        """Add the rows of a block.

        Args:
            rows: Of the block.
            fields_of: Returns the fields of a line of it.

        Raises:
            SourceDataError: A second header differs from the first, so later lines are unreadable.
        """
        if not len(rows.lines):
            return
        is_row = np.ones(len(rows.lines), bool)
        codes = self._symbol_codes(rows)
        date_codes, new = self._date_codes(rows.columns[self.layout.date_at])
        self._drop_headers(rows, date_codes, new, is_row, fields_of)
        self._note_evidence(rows, date_codes, new, is_row)
        for at, values in (self.layout.kept_at or {}).items():
            texts = pc.utf8_upper(pc.utf8_trim_whitespace(rows.columns[at]))
            counts = pc.is_in(texts, pa.array(values)).to_numpy(zero_copy_only=False)
            self.left_out += int((is_row & ~counts).sum())
            is_row &= counts
        if codes is not None:
            is_row &= codes >= 0
        self._drop_unusable(rows, codes, is_row)
        self._note_currencies(rows, codes, is_row)
        self._keep(rows, codes, date_codes, is_row)

    def _symbol_codes(self, rows: Rows) -> npt.NDArray[np.int64] | None:
        layout = self.layout
        if layout.symbol_at is None:
            return None
        exchanges = None if layout.exchange_at is None else rows.columns[layout.exchange_at]
        codes = self.numbered.of_rows(rows.columns[layout.symbol_at], exchanges)
        self._counts += [0] * (len(self.symbols) - len(self._counts))
        return codes

    def _date_codes(self, column: pa.Array) -> tuple[npt.NDArray[np.int64], list[int]]:
        """Return the number of each row's date as text, and the numbers of new ones."""
        encoded = column.dictionary_encode()
        own, new = [], []
        for text in encoded.dictionary.to_pylist():
            stripped = text.strip()
            code = self._known_dates.get(stripped)
            if code is None:
                code = self._known_dates[stripped] = len(self.date_texts)
                self.date_texts.append(stripped)
                new.append(code)
            own.append(code)
        numbers = encoded.indices.to_numpy(zero_copy_only=False)
        return np.array(own, np.int64)[numbers], new

    def _drop_headers(
        self,
        rows: Rows,
        date_codes: npt.NDArray[np.int64],
        new: Sequence[int],
        is_row: npt.NDArray[np.bool_],
        fields_of: Callable[[int], Sequence[str]],
    ) -> None:
        self._words += [code for code in new if meaning_of(self.date_texts[code])]
        comments = [code for code in new if self.date_texts[code].startswith("#")]
        if comments:
            is_comment = np.isin(date_codes, comments)
            self.remarks += int(is_comment.sum())
            is_row &= ~is_comment
        if not self._words:
            return
        for at in np.flatnonzero(np.isin(date_codes, self._words)):
            fields = fields_of(int(rows.lines[at]))
            if self.layout.is_header(fields):
                self._refuse_other_header(fields, int(rows.lines[at]))
                is_row[at] = False
                self.repeated += 1

    def _refuse_other_header(self, fields: Sequence[str], line: int) -> None:
        if not self.layout.is_own_header(fields):
            raise SourceDataError(
                f"{self.name}, line {line}: a second header unlike the first, "
                f"{quoted(self.layout.separator.join(fields))}; split the file there"
            )

    def _note_evidence(
        self,
        rows: Rows,
        date_codes: npt.NDArray[np.int64],
        new: Sequence[int],
        is_row: npt.NDArray[np.bool_],
    ) -> None:
        if new:
            codes, first = np.unique(date_codes, return_index=True)
            place = dict(zip(codes.tolist(), first.tolist(), strict=True))
            self.dates.add(
                Example(int(rows.lines[place[code]]), self.date_texts[code]) for code in new
            )
        volumes = {own.get("volume") for own in self.layout.columns.values()}
        at_change = () if self.layout.change_at is None else (self.layout.change_at,)
        of_bars = {at for own in self.layout.columns.values() for at in own.values()}
        for at in (*of_bars, *at_change):
            texts = rows.columns[at]
            if pa.types.is_string(texts.type):
                if not is_row.all():
                    texts = texts.filter(pa.array(is_row))
                if at in at_change:
                    texts = pc.replace_substring(texts, "%", "")
                self.numbers.add(texts, rows.lines[is_row], is_volume=at in volumes)

    def _drop_unusable(
        self,
        rows: Rows,
        codes: npt.NDArray[np.int64] | None,
        is_row: npt.NDArray[np.bool_],
    ) -> None:
        """Drop rows with a value that cannot be one, and more rows than a symbol may have."""
        for at in self.layout.empty_at:
            filled = pc.not_equal(pc.utf8_trim_whitespace(rows.columns[at]), "")
            self._drop(
                rows, codes, is_row, filled.to_numpy(zero_copy_only=False),
                "a value in a column that has no name",
            )  # fmt: skip
        for at in (self.layout.date_at, *self.value_positions):
            column = rows.columns[at]
            if pa.types.is_string(column.type):
                is_long = pc.greater(pc.binary_length(column), MAX_FIELD)
                if pc.any(is_long).as_py():
                    self._drop(
                        rows, codes, is_row, is_long.to_numpy(zero_copy_only=False),
                        f"a field of more than {MAX_FIELD} characters",
                    )  # fmt: skip
        if codes is None:
            before = sum(map(len, self.lines))
            ranks = before + np.cumsum(is_row)
            if before + is_row.sum() > MAX_LINES:
                self._drop(rows, codes, is_row, ranks > MAX_LINES, _too_many())
            return
        counts = np.bincount(codes[is_row], minlength=len(self.symbols))
        for code in np.flatnonzero(counts):
            self._counts[code] += int(counts[code])
            if self._counts[code] > MAX_LINES:
                self._drop(rows, codes, is_row, codes == code, _too_many())

    def _drop(
        self,
        rows: Rows,
        codes: npt.NDArray[np.int64] | None,
        is_row: npt.NDArray[np.bool_],
        faulty: npt.NDArray[np.bool_],
        fault: str,
    ) -> None:
        wrong = np.flatnonzero(is_row & faulty)
        if not len(wrong):
            return
        if codes is None:
            for symbol in self.symbols:
                self._count_fault(symbol, Fault(int(rows.lines[wrong].min()), fault, len(wrong)))
        else:
            for code in np.unique(codes[wrong]):
                lines = rows.lines[wrong[codes[wrong] == code]]
                own = Fault(int(lines.min()), fault, len(lines))
                self._count_fault(self.symbols[code], own)
        is_row &= ~faulty

    def _note_currencies(
        self, rows: Rows, codes: npt.NDArray[np.int64] | None, is_row: npt.NDArray[np.bool_]
    ) -> None:
        """Note the currencies of each symbol, with the first line of each."""
        if self.layout.currency_at is None or not is_row.any():
            return
        encoded = rows.columns[self.layout.currency_at].dictionary_encode()
        written = [currency_of(text) for text in encoded.dictionary.to_pylist()]
        numbers = encoded.indices.to_numpy(zero_copy_only=False)[is_row]
        own = np.zeros(len(numbers), np.int64) if codes is None else codes[is_row]
        pairs, first = np.unique(np.column_stack([own, numbers]), axis=0, return_index=True)
        for (code, number), at in zip(pairs.tolist(), first.tolist(), strict=True):
            currency = written[number]
            if currency is not None:
                line = int(rows.lines[is_row][at])
                self.currencies.setdefault(code, {}).setdefault(currency, line)

    def _keep(
        self,
        rows: Rows,
        codes: npt.NDArray[np.int64] | None,
        date_codes: npt.NDArray[np.int64],
        is_row: npt.NDArray[np.bool_],
    ) -> None:
        if not is_row.any():
            return
        self.lines.append(rows.lines[is_row].astype(np.int32))
        self.date_codes.append(date_codes[is_row].astype(np.int32))
        if codes is not None:
            self.codes.append(codes[is_row].astype(np.int32))
        mask = None if is_row.all() else pa.array(is_row)
        for at in self.value_positions:
            column = rows.columns[at]
            self.chunks.setdefault(at, []).append(column if mask is None else column.filter(mask))

    def add_faulty(self, faulty: FaultyLine) -> None:
        """Count a faulty line for every wanted symbol in it; its fields may be shifted.

        Raises:
            SourceDataError: It is a second header unlike the first.
        """
        written = [text.strip() for text in faulty.fields if text.strip()]
        if len(written) > 1 and self.layout.is_header(faulty.fields):
            self._refuse_other_header(faulty.fields, faulty.line)
        if self.layout.symbol_at is None:
            is_remark = written[0].startswith("#") or (
                len(written) == 1 and not any(c.isdigit() for c in written[0][:1])
            )
            if is_remark or is_event(" ".join(written)):
                self.remarks += 1
                return
            named = self.symbols
        elif self.wanted is None:
            self.loose += [faulty] if len(self.loose) < MAX_OTHER_SYMBOLS else []
            return
        else:
            short = (text for text in written if len(text) <= MAX_FIELD)
            found = {canonical(text, self.spelling) for text in short}
            named = sorted(found.intersection(self.wanted))
        for symbol in named:
            self._count_fault(symbol, Fault(faulty.line, faulty.fault))

    def _count_fault(self, symbol: str, fault: Fault) -> None:
        first = self.faults.get(symbol)
        if first is None:
            self.faults[symbol] = fault
        else:
            earlier = min(first, fault)
            self.faults[symbol] = earlier._replace(lines=first.lines + fault.lines)


def _too_many() -> str:
    return f"more than {MAX_LINES:,} lines of one symbol; expected one per trading date"
