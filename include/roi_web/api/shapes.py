"""What requests may carry and what responses look like."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import ColumnElement, TableClause

from roi_forecast.reading.pagination import MAX_PAGE
from roi_forecast.reading.records import Record
from roi_web.errors import ErrorMessage

RecordType = TypeVar("RecordType", bound=Record)


class Page(BaseModel, Generic[RecordType]):
    """Some rows of a list."""

    items: list[RecordType]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null after the last."
    )


def _without_null_character(value: str) -> str:
    if "\x00" in value:
        raise ValueError("it must not hold the null character")
    return value


Word = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_without_null_character)]
"""Text that PostgreSQL can compare with."""

ModelNameFilter = Annotated[Word | None, Query(description="Only this model name.")]
SymbolFilter = Annotated[Word | None, Query(description="Only this asset, by its Yahoo symbol.")]
VersionFilter = Annotated[Word | None, Query(description="Only this version.")]
RunFilter = Annotated[Word | None, Query(description="Only this DAG run.")]
DateFilter = Annotated[date | None, Query(description="Only this date (YYYY-MM-DD).")]
SinceFilter = Annotated[date | None, Query(description="Only target dates from this one on.")]
UntilFilter = Annotated[date | None, Query(description="Only target dates up to this one.")]
HorizonFilter = Annotated[
    int | None, Query(ge=1, le=250, description="Only this many reference sessions ahead.")
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most rows on this page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=1000, description="The `next_cursor` of the page before."),
]

DEFAULT_LIMIT = 100

RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorMessage, "description": "Nobody is logged in."},
    403: {"model": ErrorMessage, "description": "The token is wrong, or the DAG may not be read."},
    422: {"model": ErrorMessage, "description": "A parameter is wrong."},
    429: {"model": ErrorMessage, "description": "Too many requests; see `Retry-After`."},
    503: {"model": ErrorMessage, "description": "The market database cannot answer."},
}


def equals(view: TableClause, **values: object) -> list[ColumnElement[bool]]:
    """Return one condition for each value that is given, by column name."""
    return [view.c[name] == value for name, value in values.items() if value is not None]
