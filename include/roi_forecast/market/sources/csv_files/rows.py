"""Dividing blocks of lines into columns; a faulty line does no harm to the others."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from roi_forecast.market.sources.csv_files.content.text import Block
from roi_forecast.market.sources.csv_files.layout.positions import split_fields

_QUOTE, _FEED = (ord(c) for c in '"\n')


class FaultyLine(NamedTuple):
    """A line that cannot be divided as the header says.

    Attributes:
        line: Its number in the file, from 1.
        fields: Its fields; they may be shifted.
        fault: What is wrong.
    """

    line: int
    fields: list[str]
    fault: str


class Rows(NamedTuple):
    """Rows of one block.

    Attributes:
        columns: By position, texts (or of Parquet typed values), shape (rows,).
        lines: Number of each row's line, shape (rows,).
    """

    columns: Mapping[int, pa.Array]
    lines: npt.NDArray[np.int64]


def divide(
    block: Block,
    separator: str,
    width: int,
    positions: Sequence[int],
    refuse: Callable[[FaultyLine], None],
) -> Rows:
    """Divide a block into columns.

    Args:
        block: Whole lines.
        separator: Character between two fields.
        width: Number of fields of a row.
        positions: The columns to return.
        refuse: Called with each line that is no row; a blank line is neither.
    """
    content, lines, odd = _without_odd_lines(block, separator)
    is_row = np.ones(len(lines), bool)

    def skip(row: Any) -> str:
        at = row.number - 1
        is_row[at] = False
        fields = _fields(row.text, separator)
        if any(field.strip() for field in fields):
            refuse(FaultyLine(int(lines[at]), fields, _fault(row.actual_columns, width)))
        return "skip"

    columns = {at: pa.array([], pa.string()) for at in positions}
    if content:
        names = [str(at) for at in range(width)]
        table = pa.csv.read_csv(
            io.BytesIO(content),
            pa.csv.ReadOptions(
                use_threads=False, column_names=names, block_size=max(len(content) + 1, 1024)
            ),
            pa.csv.ParseOptions(
                delimiter=separator,
                quote_char='"' if b'"' in content else False,
                ignore_empty_lines=False,
                invalid_row_handler=skip,
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[str(at) for at in positions],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        for at in positions:
            chunks = table.column(str(at)).chunks
            columns[at] = (
                chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks or [columns[at]])
            )
        lines = lines[is_row]
    for number, line in odd:
        try:
            fields = split_fields(line, separator)
        except csv.Error as error:
            fields = line.replace('"', "").split(separator)
            refuse(FaultyLine(number, fields, f"a stray quote ({error})"))
            continue
        if len(fields) == width:
            own = {at: pa.array([fields[at]], pa.string()) for at in positions}
            columns = {at: pa.concat_arrays([columns[at], own[at]]) for at in positions}
            lines = np.append(lines, number)
        else:
            refuse(FaultyLine(number, fields, _fault(len(fields), width)))
    return Rows(columns, lines)


def _fault(fields: int, width: int) -> str:
    return (
        f"{fields} fields under {width} names; write numbers without thousands separators or in "
        "quotes, and one field for each column"
    )


def _fields(line: str, separator: str) -> list[str]:
    try:
        return split_fields(line, separator)
    except csv.Error:
        return line.replace('"', "").split(separator)


def _without_odd_lines(
    block: Block, separator: str
) -> tuple[bytes, npt.NDArray[np.int64], list[tuple[int, str]]]:
    """Take out blank lines, and lines in which quotes do not simply enclose whole fields.

    A quote that is not closed would otherwise swallow the lines after it.

    Returns:
        The other lines, their numbers, and the lines with odd quotes with their numbers.
    """
    text = np.frombuffer(block.content, np.uint8)
    ends = np.flatnonzero(text == _FEED)
    lengths = np.diff(ends, prepend=-1)
    is_odd = np.zeros(len(ends), bool)
    if b'"' in block.content:
        quotes = np.flatnonzero(text == _QUOTE)
        line = np.searchsorted(ends, quotes)
        count = np.bincount(line, minlength=len(ends))
        first = np.cumsum(count) - count
        opens = (np.arange(len(quotes)) - first[line]) % 2 == 0
        marks = (ord(separator), _FEED)
        before = np.where(quotes > 0, text[quotes - 1], _FEED)
        is_plain = np.where(opens, np.isin(before, marks), np.isin(text[quotes + 1], marks))
        is_odd = count % 2 == 1
        is_odd[line[~is_plain]] = True
    is_kept = ~is_odd & (lengths > 1)
    lines = np.arange(block.first, block.first + block.size)[is_kept]
    if is_kept.all():
        return block.content, lines, []
    starts = ends - lengths + 1
    odd = [
        (block.first + int(at), block.content[starts[at] : ends[at]].decode("utf-8", "replace"))
        for at in np.flatnonzero(is_odd)
    ]
    return text[np.repeat(is_kept, lengths)].tobytes(), lines, odd
