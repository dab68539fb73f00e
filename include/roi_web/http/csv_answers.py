"""Rows as CSV for spreadsheets and programs, in a file until the client has read them."""

from __future__ import annotations

import asyncio
import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from io import TextIOWrapper
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore
from types import UnionType
from typing import Any, Union, get_args, get_origin
from weakref import finalize

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from roi_web.http.problems import ProblemError

MEDIA_TYPE = "text/csv"
MAX_ROWS = 200_000
MAX_UNREAD = 16
"""Answers that clients have not read to their end; more are refused, since each may be a file."""
SECONDS_TO_READ = 600.0

_IN_MEMORY_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_FORMULA = tuple(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
"""Beginnings of text that a spreadsheet may take for a formula (OWASP, "CSV Injection")."""

_unread = BoundedSemaphore(MAX_UNREAD)


class TooManyRowsError(Exception):
    """An answer has more rows than a CSV may have."""


class CsvResponse(StreamingResponse):
    """Rows as CSV.

    All rows are written before the response starts: a client that reads slowly holds no connection,
    and what fails is an error instead of half a table.

    Args:
        columns: Names of the columns.
        rows: Values in the order of the columns; read once, at once.

    Raises:
        TooManyRowsError: There are more than `MAX_ROWS` rows.
        ProblemError: Too many answers are being read.
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        if not _unread.acquire(blocking=False):
            raise ProblemError(503, "too many clients are reading a CSV; try again")
        file = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115, closed by _close
        self._close = finalize(self, _close, file)
        try:
            _write(file, columns, rows)
        except BaseException:
            self._close()
            raise
        length = file.tell()
        file.seek(0)
        super().__init__(
            iter(partial(file.read, _CHUNK_BYTES), b""),
            media_type=f"{MEDIA_TYPE}; charset=utf-8; header=present",
            headers={"Content-Length": str(length)},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the rows; a client that takes too long gets a part, and knows it by the length."""
        try:
            async with asyncio.timeout(SECONDS_TO_READ):
                await super().__call__(scope, receive, send)
        finally:
            self._close()


def columns_of(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path to each column of a model: a model inside it has columns of its own."""
    paths: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        paths += [(*prefix, name)] if inner is None else columns_of(inner, (*prefix, name))
    return paths


def value_at(row: Mapping[str, Any], path: Sequence[str]) -> object:
    """Return the value of a column; what is inside of nothing is nothing."""
    value: Any = row
    for name in path:
        value = None if value is None else value[name]
    return value


def _write(
    file: SpooledTemporaryFile[bytes], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    text = TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for number, row in enumerate(rows):
        if number == MAX_ROWS:
            raise TooManyRowsError
        writer.writerow([_cell(value) for value in row])
    text.detach()


def _close(file: SpooledTemporaryFile[bytes]) -> None:
    file.close()
    _unread.release()


def _model_in(annotation: Any) -> type[BaseModel] | None:
    is_union = get_origin(annotation) in (Union, UnionType)
    for option in get_args(annotation) if is_union else (annotation,):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _cell(value: object) -> object:
    """Return a value as JSON has it, but as one cell that no spreadsheet computes."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else ""
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case str() if value.startswith(_FORMULA):
            return "'" + value
    return value
