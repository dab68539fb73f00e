"""Reading a view a page at a time: each page begins after the last row of the one before.

Rows that arrive between two requests neither repeat nor hide others, and a late page costs no more
than the first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, TableClause, and_, or_, select

from roi_forecast.errors import RoiForecastError
from roi_forecast.reading.records import Record

RecordType = TypeVar("RecordType", bound=Record)

MAX_PAGE = 1000

_MAX_INTEGER = 2**63


class CursorError(RoiForecastError):
    """A cursor is not one that an earlier page of the same list gave."""


@dataclass(frozen=True)
class Listing(Generic[RecordType]):
    """A view in an order that names each row once.

    Attributes:
        view: The view.
        record: What a row becomes.
        order: Columns of the order; a minus before the name turns it round. None may be null.
    """

    view: TableClause
    record: type[RecordType]
    order: tuple[str, ...]

    def read(
        self,
        connection: Connection,
        *conditions: ColumnElement[bool],
        limit: int = MAX_PAGE,
        cursor: str | None = None,
    ) -> tuple[list[RecordType], str | None]:
        """Return up to `limit` rows and the cursor of the next page, or None after the last.

        Raises:
            CursorError: The cursor is not one of this list's.
        """
        columns = self.view.c
        statement = select(*(columns[name] for name in self.record.model_fields))
        statement = statement.where(*conditions).order_by(
            *(
                columns[name].desc() if descending else columns[name].asc()
                for name, descending in self._keys()
            )
        )
        if cursor is not None:
            statement = statement.where(self._after(self._decode(cursor)))
        rows = connection.execute(statement.limit(limit + 1)).mappings().all()
        items = [self.record.model_validate(dict(row)) for row in rows[:limit]]
        return items, self._encode(items[-1]) if len(rows) > limit else None

    def _keys(self) -> list[tuple[str, bool]]:
        return [(name.removeprefix("-"), name.startswith("-")) for name in self.order]

    def _after(self, values: Sequence[Any]) -> ColumnElement[bool]:
        columns = self.view.c
        alternatives: list[ColumnElement[bool]] = []
        equal: list[ColumnElement[bool]] = []
        for (name, descending), value in zip(self._keys(), values, strict=True):
            column = columns[name]
            beyond = column < value if descending else column > value
            alternatives.append(and_(*equal, beyond))
            equal.append(column == value)
        # Implied by the alternatives, and what an index can begin at.
        (first, descending), value = self._keys()[0], values[0]
        bound = columns[first] <= value if descending else columns[first] >= value
        return and_(bound, or_(*alternatives))

    def _encode(self, row: RecordType) -> str:
        key = row.model_dump(mode="json", include={name for name, _ in self._keys()})
        content = json.dumps([key[name] for name, _ in self._keys()], separators=(",", ":"))
        return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")

    def _decode(self, cursor: str) -> list[Any]:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            content = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
            values = json.loads(content.decode())
            kinds: list[Any] = [
                self.record.model_fields[name].annotation for name, _ in self._keys()
            ]
            if not isinstance(values, list) or not all(map(_can_be_stored, values)):
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


def _can_be_stored(value: object) -> bool:
    """Tell whether PostgreSQL can compare a column with a value out of JSON."""
    if isinstance(value, int):
        return abs(value) < _MAX_INTEGER
    return isinstance(value, str) and "\x00" not in value
