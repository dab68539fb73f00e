"""What requests to the API may ask, and what its responses look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any, Generic, TypeVar, cast

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import ColumnElement, Connection

from roi_forecast.quoting import listed, quoted
from roi_forecast.reading.known import find_unknown
from roi_forecast.reading.pagination import MAX_PAGE, CursorError, Record
from roi_forecast.written_date import WrittenDate
from roi_web.api.routes import FormatQuery
from roi_web.http import csv_answers
from roi_web.http.csv_answers import CsvResponse, TooManyRowsError
from roi_web.http.parameters import alternatives
from roi_web.http.problems import TOO_MANY_ROWS, Problem, ProblemError


def _without_null_character(value: str) -> str:
    if "\x00" in value:
        raise ValueError("text without the null character")
    return value


Word = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_without_null_character)]
"""Text that PostgreSQL can compare with."""

ModelNameFilter = Annotated[Word | None, Query(description="Only this model name.")]

_ROWS_OF_A_PAGE = 100

RecordType = TypeVar("RecordType", bound=Record)


class Page(BaseModel, Generic[RecordType]):
    """Some rows of a list."""

    items: list[RecordType]
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null on the last page."
    )


class ListQuery(FormatQuery):
    """What a client may ask of any list.

    Each subclass adds columns of its view, and excludes what is none.
    """

    limit: int | None = Field(
        None,
        ge=1,
        le=MAX_PAGE,
        exclude=True,
        description=f"The most rows; without it a page has {_ROWS_OF_A_PAGE}, and a CSV all.",
    )
    cursor: str | None = Field(
        None,
        max_length=1000,
        exclude=True,
        description="The `next_cursor` of the previous page; not for CSV.",
    )

    def read(
        self, connection: Connection, record: type[RecordType], *conditions: ColumnElement[bool]
    ) -> Page[RecordType]:
        """Return the rows whose columns have the given values: one page, or all of them as CSV.

        Args:
            connection: Connects as `roi_reader`.
            record: The rows' record.
            conditions: Further conditions.

        Raises:
            ProblemError: What is asked about does not exist, or a CSV would have too many rows.
            CursorError: The cursor does not come from an earlier page of this list.
        """
        values = self.model_dump(exclude_none=True)
        equal = [record.view.c[name] == value for name, value in values.items()]
        if self.format == "csv":
            response = self._read_csv(connection, record, [*equal, *conditions])
            # FastAPI sends a response as it is.
            return cast("Page[RecordType]", response)
        items, following = record.read(
            connection, *equal, *conditions, limit=self.limit or _ROWS_OF_A_PAGE, cursor=self.cursor
        )
        if not items:
            self._require_known(connection)
        return Page(items=items, next_cursor=following)

    def _read_csv(
        self,
        connection: Connection,
        record: type[RecordType],
        conditions: Sequence[ColumnElement[bool]],
    ) -> CsvResponse:
        if self.cursor is not None:
            raise CursorError("cursor: a CSV has no pages; leave it out")
        rows = record.stream(connection, *conditions, limit=self.limit)
        try:
            return CsvResponse(list(record.model_fields), self._some(connection, rows))
        except TooManyRowsError:
            narrowing = [
                name
                for name in type(self).model_fields
                if getattr(self, name) is None and name not in ListQuery.model_fields
            ]
            raise ProblemError(
                TOO_MANY_ROWS,
                f"a CSV has at most {csv_answers.MAX_ROWS:,} rows, and this one has more; "
                f"narrow it by {listed([*narrowing, 'limit'])}",
                allowed=narrowing,
            ) from None

    def _some(
        self, connection: Connection, rows: Iterator[Sequence[object]]
    ) -> Iterator[Sequence[object]]:
        """Yield the rows; of none, refuse the question if it is about what does not exist."""
        first = next(rows, None)
        if first is None:
            self._require_known(connection)
            return
        yield first
        yield from rows

    def _require_known(self, connection: Connection) -> None:
        require_known(connection, **{name: getattr(self, name) for name in type(self).model_fields})


class NameQuery(ListQuery):
    """Rows of a model name."""

    model_name: Word | None = Field(None, description="Only this model name.")


class RunQuery(NameQuery):
    """Rows of a DAG run."""

    run_id: Word | None = Field(None, description="Only this DAG run.")


class SymbolQuery(NameQuery):
    """Rows of an asset."""

    symbol: Word | None = Field(None, description="Only this asset, by its Yahoo symbol.")


class PeriodQuery(ListQuery):
    """Rows of a period; of forecasts, by target date."""

    since: WrittenDate | None = Field(
        None, exclude=True, description="Only dates from this one on."
    )
    until: WrittenDate | None = Field(None, exclude=True, description="Only dates up to this one.")

    def in_period(self, day: ColumnElement[date]) -> list[ColumnElement[bool]]:
        """Return the conditions on a column of dates."""
        return [
            *([] if self.since is None else [day >= self.since]),
            *([] if self.until is None else [day <= self.until]),
        ]


class ModelQuery(FormatQuery):
    """A question about one model name, answered as a whole."""

    model_name: Word = Field(description="The model name.")


class HorizonQuery(SymbolQuery):
    """Rows of a horizon."""

    horizon: int | None = Field(
        None, ge=1, le=250, description="Only this many reference sessions ahead."
    )


class VersionQuery(NameQuery):
    """Rows of a version."""

    version_id: Word | None = Field(None, description="Only this version.")


def require_known(connection: Connection, **values: object) -> None:
    """Refuse a question about a model name, version, run or asset that does not exist.

    Args:
        connection: Connects as `roi_reader`.
        values: Parameters by name; others and those without a value are left alone.

    Raises:
        ProblemError: One does not exist.
    """
    unknown = find_unknown(connection, values)
    if unknown is None:
        return
    known = alternatives(unknown.value, unknown.known) if unknown.known else unknown.where
    raise ProblemError(
        404,
        f"there is no {unknown.thing} {quoted(unknown.value)}; {known}",
        parameter=unknown.parameter,
        received=unknown.value,
        allowed=unknown.known,
    )


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": meaning}
    for status, meaning in {
        401: "Nobody is logged in.",
        403: "The token is wrong or has expired, or the DAG may not be read.",
        404: "What is asked about does not exist.",
        406: "`Accept` names no format that there is.",
        422: "A parameter is wrong, unknown or repeated.",
        429: "Too many requests; see `Retry-After`.",
        500: "The server met an error.",
        503: "The market database cannot answer, or too many wait; see `Retry-After`.",
    }.items()
}
