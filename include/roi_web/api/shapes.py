"""What requests to the API may ask, and what its responses look like."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import ColumnElement, Connection

from roi_forecast.reading.pagination import MAX_PAGE, Record
from roi_web.errors import ErrorMessage


def _without_null_character(value: str) -> str:
    if "\x00" in value:
        raise ValueError("it must not contain the null character")
    return value


Word = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_without_null_character)]
"""Text that PostgreSQL can compare with."""

ModelNameFilter = Annotated[Word | None, Query(description="Only this model name.")]

RecordType = TypeVar("RecordType", bound=Record)


class Page(BaseModel, Generic[RecordType]):
    """Some rows of a list."""

    items: list[RecordType]
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null on the last page."
    )


class ListQuery(BaseModel):
    """What a client may ask of any list.

    Each subclass adds columns of its view, and excludes what is none.
    """

    limit: int = Field(
        100, ge=1, le=MAX_PAGE, exclude=True, description="The most rows on this page."
    )
    cursor: str | None = Field(
        None, max_length=1000, exclude=True, description="The `next_cursor` of the previous page."
    )

    def read(
        self, connection: Connection, record: type[RecordType], *conditions: ColumnElement[bool]
    ) -> Page[RecordType]:
        """Return one page of the rows whose columns have the given values.

        Args:
            connection: Connects as `roi_reader`.
            record: The rows' record.
            conditions: Further conditions.
        """
        values = self.model_dump(exclude_none=True)
        equal = [record.view.c[name] == value for name, value in values.items()]
        items, following = record.read(
            connection, *equal, *conditions, limit=self.limit, cursor=self.cursor
        )
        return Page(items=items, next_cursor=following)


class NameQuery(ListQuery):
    """Rows of a model name."""

    model_name: Word | None = Field(None, description="Only this model name.")


class RunQuery(NameQuery):
    """Rows of a DAG run."""

    run_id: Word | None = Field(None, description="Only this DAG run.")


class SymbolQuery(NameQuery):
    """Rows of an asset."""

    symbol: Word | None = Field(None, description="Only this asset, by its Yahoo symbol.")


class HorizonQuery(SymbolQuery):
    """Rows of a horizon."""

    horizon: int | None = Field(
        None, ge=1, le=250, description="Only this many reference sessions ahead."
    )


class VersionQuery(NameQuery):
    """Rows of a version."""

    version_id: Word | None = Field(None, description="Only this version.")


RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorMessage, "description": "Nobody is logged in."},
    403: {"model": ErrorMessage, "description": "The token is wrong, or the DAG may not be read."},
    422: {"model": ErrorMessage, "description": "A parameter is wrong."},
    429: {"model": ErrorMessage, "description": "Too many requests; see `Retry-After`."},
    503: {"model": ErrorMessage, "description": "The market database cannot answer."},
}
