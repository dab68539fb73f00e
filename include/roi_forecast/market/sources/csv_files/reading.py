"""Reading one file: its rows of the symbols that are wanted."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path

from roi_forecast.errors import SourceDataError, SourceError
from roi_forecast.market.sources.csv_files.collecting import Collector
from roi_forecast.market.sources.csv_files.content.opening import opened
from roi_forecast.market.sources.csv_files.content.packing import Unpacked, unpack
from roi_forecast.market.sources.csv_files.content.text import Block, Text
from roi_forecast.market.sources.csv_files.conventions import Conventions
from roi_forecast.market.sources.csv_files.file_rows import FileRows
from roi_forecast.market.sources.csv_files.layout.header import find_header
from roi_forecast.market.sources.csv_files.layout.positions import NAMED_IN_LINE, split_fields
from roi_forecast.market.sources.csv_files.layout.symbols import Spelling, symbol_of_file
from roi_forecast.market.sources.csv_files.parquet import parquet_layout, parquet_rows
from roi_forecast.market.sources.csv_files.rows import divide
from roi_forecast.quoting import named

_HEAD_LINES = 400
_BINARY = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")


class BrokenOffError(SourceDataError):
    """A file cannot be read to its end.

    Attributes:
        symbols: The wanted symbols in it until there.
        others: Other symbols.
        reason: What stopped it.
    """

    def __init__(self, reason: SourceError, symbols: Sequence[str], others: Sequence[str]) -> None:
        super().__init__(str(reason))
        self.reason, self.symbols, self.others = reason, tuple(symbols), tuple(others)


def read_file(
    path: Path,
    wanted: Collection[str] | None,
    conventions: Conventions,
    *,
    allowed: Path,
    max_bytes: int,
) -> FileRows:
    """Read the rows of some symbols.

    Args:
        path: The file.
        wanted: The symbols; None: all.
        conventions: What the run settles.
        allowed: Folder that must contain the file after following links.
        max_bytes: Maximum bytes read, after unpacking.

    Raises:
        SourceUnavailableError: The file does not exist or cannot be read now.
        SourceDataError: The file as a whole cannot be used; names file and line.
    """
    name = named(path)
    with opened(path, allowed, max_bytes) as file:
        unpacked = unpack(file, name, max_bytes)
        if unpacked.packing == "Parquet":
            return _read_parquet(unpacked, path, wanted, conventions, max_bytes)
        return _read_text(unpacked, path, wanted, conventions)


def _read_text(
    unpacked: Unpacked, path: Path, wanted: Collection[str] | None, conventions: Conventions
) -> FileRows:
    name = named(path)
    text = Text(unpacked.content, name)
    blocks = text.blocks()
    head = next(blocks, Block(1, 0, b""))
    lines = [line.decode("utf-8", "replace") for line in head.content.split(b"\n", _HEAD_LINES)][
        : min(_HEAD_LINES, head.size)
    ]
    try:
        layout = find_header(lines, name, path.name)
    except SourceDataError:
        if any(_BINARY.search(line) for line in lines[:20]):
            raise SourceDataError(
                f"{name}: not a table of prices but binary; expected text or Parquet"
            ) from None
        raise
    spelling = Spelling(layout.format, conventions.suffix)
    file_symbol = symbol_of_file(path.name, spelling)
    collector = Collector(layout, name, spelling, file_symbol, wanted)
    if wanted is None or collector.symbols or layout.symbol_at is not None:
        try:
            for block in chain([_after(head, layout.line)], blocks):
                _add(collector, block)
        except SourceError as error:
            raise BrokenOffError(error, collector.symbols, tuple(collector.others)) from error
    return FileRows(collector, conventions, unpacked.packing, text.encoding)


def _add(collector: Collector, block: Block) -> None:
    if not block.size:
        return
    layout = collector.layout
    rows = divide(
        block, layout.separator, len(layout.names), collector.positions, collector.add_faulty
    )
    lines: list[bytes] = []

    def fields_of(line: int) -> list[str]:
        if not lines:
            lines.extend(block.content.split(b"\n"))
        content = lines[line - block.first].decode("utf-8", "replace")
        try:
            return split_fields(content, layout.separator)
        except csv.Error:
            return []

    collector.add(rows, fields_of)


def _after(block: Block, lines: int) -> Block:
    """Return a block without its first lines."""
    if not lines:
        return block
    content = block.content.split(b"\n", lines)[-1]
    return Block(block.first + lines, block.size - lines, content)


def _read_parquet(
    unpacked: Unpacked,
    path: Path,
    wanted: Collection[str] | None,
    conventions: Conventions,
    max_bytes: int,
) -> FileRows:
    name = named(path)
    layout, table = parquet_layout(unpacked.content, name, path.name, max_bytes)
    spelling = Spelling(layout.format, conventions.suffix)
    file_symbol = symbol_of_file(path.name, spelling)
    collector = Collector(layout, name, spelling, file_symbol, wanted, row="row")
    if wanted is None or collector.symbols or NAMED_IN_LINE in layout.columns:
        for rows in parquet_rows(table, layout, collector.positions, name, max_bytes):
            collector.add(rows, lambda _: [])
    return FileRows(collector, conventions, "Parquet", "")
