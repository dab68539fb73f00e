"""Reading Parquet, as pandas, polars and others write it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.content.opening import too_large
from roi_forecast.market.sources.csv_files.layout.columns import DATE, UNNAMED, meaning_of, plain
from roi_forecast.market.sources.csv_files.layout.positions import (
    Layout,
    by_symbol,
    layout_of,
    require_few_columns,
)
from roi_forecast.market.sources.csv_files.layout.symbols import stem_of
from roi_forecast.market.sources.csv_files.rows import Rows
from roi_forecast.quoting import quoted

_BATCH = 2**17


def parquet_layout(
    content: io.BufferedReader, name: str, file_name: str, max_bytes: int
) -> tuple[Layout, pq.ParquetFile]:
    """Return the layout of a file, and the open file.

    Args:
        content: The file.
        name: The file's name in errors.
        file_name: Its name without its folder.
        max_bytes: Maximum bytes of its columns together.

    Raises:
        SourceDataError: It is not whole, too large, or holds no prices.
    """
    try:
        table = pq.ParquetFile(content)
        metadata = table.metadata
        names = table.schema_arrow.names
        size = sum(metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _broken(name, error) from error
    if not 0 <= size <= max_bytes:
        raise too_large(name, max_bytes)
    require_few_columns(names, name)
    if len(set(names)) < len(names):
        raise SourceDataError(f"{name}: two columns have the same name; keep one of them")
    types = {field.name: field.type for field in table.schema_arrow}
    named = [_date_name(column, types[column], names) for column in names]
    meanings = {found.meaning for found in map(meaning_of, named) if found}
    is_flat = any(not column.startswith("(") and _is_bar(column) for column in named)
    if DATE in meanings and not is_flat:
        numbers = [
            column if _is_date(column) or _is_number(kind) else ""
            for column, kind in zip(named, types.values(), strict=True)
        ]
        layout = by_symbol(numbers, name)
        if layout is not None:
            return layout, table
    return layout_of(named, [], name, stem_of(file_name)), table


def parquet_rows(
    table: pq.ParquetFile, layout: Layout, positions: Sequence[int], name: str, max_bytes: int
) -> Iterator[Rows]:
    """Yield the rows of some columns.

    Args:
        table: The open file.
        layout: Of the file.
        positions: The columns.
        name: The file's name in errors.
        max_bytes: Maximum bytes of the columns together.

    Raises:
        SourceDataError: The file is damaged, or larger than it says.
    """
    names = [table.schema_arrow.names[at] for at in positions]
    texts = {
        layout.date_at,
        layout.symbol_at,
        layout.exchange_at,
        layout.currency_at,
        *(layout.kept_at or ()),
    }
    number, size = 1, 0
    try:
        for batch in table.iter_batches(_BATCH, columns=names, use_threads=False):
            size += batch.nbytes
            if size > max_bytes:
                raise too_large(name, max_bytes)
            columns = {
                at: _simple(batch.column(column), name, column, as_text=at in texts)
                for at, column in zip(positions, names, strict=True)
            }
            yield Rows(columns, np.arange(number, number + batch.num_rows))
            number += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(name, error) from error


def _simple(column: pa.Array, name: str, written: str, *, as_text: bool) -> pa.Array:
    """Return numbers as they are unless text is needed, anything else as text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _simple(column.dictionary_decode(), name, written, as_text=as_text)
    if _is_number(kind):
        if not as_text:
            return column
        if pa.types.is_floating(kind):
            column = pc.cast(column, pa.int64(), safe=False)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # By their own zone, so that midnight there is the date as written.
        unit = pa.timestamp("us", getattr(kind, "tz", None))
        encoded = pc.cast(column, unit, safe=False).dictionary_encode()
        texts = [
            "" if day is None else day.isoformat(" ") for day in encoded.dictionary.to_pylist()
        ]
        column = pa.DictionaryArray.from_arrays(encoded.indices, pa.array(texts, pa.string()))
        column = column.dictionary_decode()
    try:
        return pc.fill_null(pc.cast(column, pa.string()), "")
    except pa.ArrowException as error:
        raise SourceDataError(
            f"{name}: the column {quoted(written)} holds {kind}; expected dates, numbers or text"
        ) from error


def _date_name(column: str, kind: pa.DataType, names: Sequence[str]) -> str:
    """Return the name, "date" for an index without a name that holds dates."""
    has_date = any(_is_date(other) for other in names)
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_string(kind)
    return "date" if plain(column) in UNNAMED and is_time and not has_date else column


def _is_date(name: str) -> bool:
    found = meaning_of(name)
    return found is not None and found.meaning == DATE


def _is_bar(name: str) -> bool:
    found = meaning_of(name)
    return found is not None and found.meaning in {"close", "adj_close", "open"}


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
    )


def _broken(name: str, error: Exception) -> SourceDataError:
    return SourceDataError(f"{name}: not a complete Parquet file ({quoted(str(error))})")
