"""Reading a view one page at a time: each page starts after the last row of the page before.

Rows that arrive between two requests neither repeat nor hide other rows, and a late page costs no
more than the first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from sqlalchemy import ColumnElement, Connection, Select, TableClause, and_, func, or_, select

from roi_forecast.database.views import column_comments, view_columns
from roi_forecast.errors import RoiForecastError

RecordType = TypeVar("RecordType", bound="Record")

MAX_PAGE = 1000

_MAX_INTEGER = 2**63
_ROWS_AT_A_TIME = 2000


class CursorError(RoiForecastError):
    """A cursor does not come from an earlier page of the same list."""


class Record(BaseModel):
    """A row of a view. Its fields are the columns that are read, with the view's comments.

    Attributes:
        view: The view, with the columns of the record.
        order: The columns that order the rows of a list and identify each row; a minus before the
            name sorts descending. Only text may be null.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    view: ClassVar[TableClause]
    order: ClassVar[tuple[str, ...]]

    @classmethod
    def read(
        cls,
        connection: Connection,
        *conditions: ColumnElement[bool],
        limit: int = MAX_PAGE,
        cursor: str | None = None,
    ) -> tuple[list[Self], str | None]:
        """Return up to `limit` rows and the cursor of the next page, or None after the last.

        Raises:
            CursorError: The cursor does not come from an earlier page of this list.
        """
        statement = cls._ordered(conditions)
        if cursor is not None:
            statement = statement.where(cls._after(cls._decode(cursor)))
        rows = connection.execute(statement.limit(limit + 1)).all()
        items = [cls._of(row) for row in rows[:limit]]
        return items, items[-1]._encode() if len(rows) > limit else None

    @classmethod
    def read_all(cls, connection: Connection, *conditions: ColumnElement[bool]) -> list[Self]:
        """Return every row, in order."""
        return [cls._of(row) for row in connection.execute(cls._ordered(conditions)).all()]

    @classmethod
    def stream(
        cls, connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
    ) -> Iterator[Sequence[Any]]:
        """Yield rows in order, as of one moment, in the order of the fields, and few at a time."""
        statement = cls._ordered(conditions).limit(limit)
        yield from connection.execute(statement, execution_options={"yield_per": _ROWS_AT_A_TIME})

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        comments = column_comments()[cls.view.name]
        for name, field in handler.resolve_ref_schema(schema)["properties"].items():
            field["description"] = comments[name]
        return schema

    @classmethod
    def _of(cls, row: Sequence[Any]) -> Self:
        """Return the record of a row; of thousands, its mapping would take longer than this."""
        return cls.model_validate(dict(zip(cls.model_fields, row, strict=True)))

    @classmethod
    def _ordered(cls, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        return (
            select(cls.view)
            .where(*conditions)
            .order_by(
                *(
                    cls._key(name).desc() if descending else cls._key(name).asc()
                    for name, descending in cls._keys()
                )
            )
        )

    @classmethod
    def _key(cls, name: str) -> ColumnElement[Any]:
        """Return a column that orders rows; one of text that may be null sorts null first."""
        column = cls.view.c[name]
        return (
            func.coalesce(column, "") if cls.model_fields[name].annotation == str | None else column
        )

    @classmethod
    def _keys(cls) -> list[tuple[str, bool]]:
        return [(name.removeprefix("-"), name.startswith("-")) for name in cls.order]

    @classmethod
    def _after(cls, values: Sequence[Any]) -> ColumnElement[bool]:
        alternatives: list[ColumnElement[bool]] = []
        equal: list[ColumnElement[bool]] = []
        for (name, descending), value in zip(cls._keys(), values, strict=True):
            key = cls._key(name)
            alternatives.append(and_(*equal, key < value if descending else key > value))
            equal.append(key == value)
        # Implied by the alternatives; an index scan can start there.
        (first, descending), value = cls._keys()[0], values[0]
        bound = cls._key(first) <= value if descending else cls._key(first) >= value
        return and_(bound, or_(*alternatives))

    def _encode(self) -> str:
        key = self.model_dump(mode="json", include={name for name, _ in self._keys()})
        values = ["" if key[name] is None else key[name] for name, _ in self._keys()]
        content = json.dumps(values, separators=(",", ":"))
        return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")

    @classmethod
    def _decode(cls, cursor: str) -> list[Any]:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            content = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
            values = json.loads(content.decode())
            kinds: list[Any] = [cls.model_fields[name].annotation for name, _ in cls._keys()]
            if not isinstance(values, list) or not all(map(_is_storable, values)):
                raise ValueError("not a list of key values")
            return [
                TypeAdapter(kind).validate_json(json.dumps(value))
                for kind, value in zip(kinds, values, strict=True)
            ]
        except (ValueError, RecursionError, binascii.Error, ValidationError) as error:
            raise CursorError(
                f"cursor: received {cursor[:80]!r}; it has to be the next_cursor of an earlier "
                "page of the same list"
            ) from error


def row_of(view: str, *order: str) -> Callable[[type[RecordType]], type[RecordType]]:
    """Decorate a record with its view and, if people page through it, its order."""

    def decorate(record: type[RecordType]) -> type[RecordType]:
        record.view = view_columns(view, *record.model_fields)
        record.order = order
        return record

    return decorate


def _is_storable(value: object) -> bool:
    """Tell whether PostgreSQL can compare a column with a value from JSON."""
    if isinstance(value, int):
        return abs(value) < _MAX_INTEGER
    return isinstance(value, str) and "\x00" not in value
