from __future__ import annotations

import base64
import json
from importlib import import_module
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from planted import Planted
from roi_forecast import reading
from roi_forecast.database.tables import SCHEMA
from roi_forecast.reading.forecasts import Forecast
from roi_forecast.reading.pagination import CursorError, Record

RECORDS = {
    name: value
    for module in iter_modules(reading.__path__)
    for name, value in vars(import_module(f"{reading.__name__}.{module.name}")).items()
    if isinstance(value, type) and issubclass(value, Record) and value is not Record
}
LISTS = [name for name, record in RECORDS.items() if record.order]


def read_all(planted: Planted, record: type[Record], limit: int) -> list[Record]:
    rows, cursor = [], None
    with planted.reader.connect() as connection:
        while True:
            items, cursor = record.read(connection, limit=limit, cursor=cursor)
            assert len(items) <= limit
            rows += items
            if cursor is None:
                return rows


@pytest.mark.parametrize("name", LISTS)
def test_the_pages_together_are_the_whole_list_in_order(planted: Planted, name: str) -> None:
    record = RECORDS[name]

    paged = read_all(planted, record, limit=7)

    with planted.engine.connect() as connection:
        query = f"SELECT count(*) FROM roi.{record.view.name}"
        assert len(paged) == connection.execute(text(query)).scalar_one()
    keys = [key.removeprefix("-") for key in record.order]
    named = [tuple(getattr(row, key) for key in keys) for row in paged]
    assert len(set(named)) == len(named)
    assert paged == read_all(planted, record, limit=1000)


def test_only_columns_with_a_minus_sort_descending(planted: Planted) -> None:
    rows = read_all(planted, Forecast, limit=100)
    first: Forecast = rows[0]
    newest = [row for row in rows if row.as_of_date == first.as_of_date]
    assert [row.as_of_date for row in rows] == sorted(
        (row.as_of_date for row in rows), reverse=True
    )
    assert len({row.symbol for row in newest}) == 5


def test_rows_that_arrive_between_two_pages_do_not_change_the_second(planted: Planted) -> None:
    with planted.engine.begin() as connection:
        items, cursor = Forecast.read(connection, limit=10)
        expected, _ = Forecast.read(connection, limit=10, cursor=cursor)
        connection.execute(
            text(
                "INSERT INTO roi.predictions SELECT (jsonb_populate_record(row, jsonb_build_object("
                "'as_of_date', row.as_of_date + 30, 'target_date', row.target_date + 30))).* "
                "FROM roi.predictions AS row WHERE row.as_of_date = :newest"
            ),
            {"newest": items[0].as_of_date},
        )
        moved, _ = Forecast.read(connection, limit=10)
        assert moved != items
        assert Forecast.read(connection, limit=10, cursor=cursor)[0] == expected
        connection.rollback()


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_is_described_by_the_comment_of_its_column(planted: Planted, name: str) -> None:
    record = RECORDS[name]
    with planted.engine.connect() as connection:
        columns = inspect(connection).get_columns(record.view.name, schema=SCHEMA)
    comments = {column["name"]: column["comment"] for column in columns}
    properties = record.model_json_schema()["properties"]
    described = {field: each.get("description") for field, each in properties.items()}
    assert described == {field: comments[field] for field in record.model_fields}
    assert all(described.values())


def cursor_of(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "é",
        cursor_of({"as_of_date": "2026-01-01"}),
        cursor_of(["2026-01-01"]),
        cursor_of(["yesterday", "GC=F", 1, "v"]),
        cursor_of(["2026-01-01", None, 1, "v"]),
        cursor_of(["2026-01-01", "a\x00b", 1, "v"]),
        cursor_of(["2026-01-01", "GC=F", 1e400, "v"]),
        cursor_of(["2026-01-01", "GC=F", 2**70, "v"]),
    ],
)
def test_cursor_of_another_list_is_refused(planted: Planted, cursor: str) -> None:
    with planted.reader.connect() as connection, pytest.raises(CursorError, match="next_cursor"):
        Forecast.read(connection, cursor=cursor)


@given(st.text(max_size=40))
def test_no_cursor_breaks_the_decoder(cursor: str) -> None:
    try:
        Forecast._decode(cursor)
    except CursorError:
        return
