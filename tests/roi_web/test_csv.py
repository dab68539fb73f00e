"""Lists as CSV: the values of the JSON, of all rows, of one moment, harmless in a spreadsheet."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import QueuePool, update

from planted import TOKEN, Planted, planted_market
from roi_forecast.database.tables import promotions
from roi_forecast.reading.versions import Promotion
from roi_local.postgres.server import EmbeddedPostgres
from roi_web.api import router
from roi_web.api.routes import ApiRoute
from roi_web.http import csv_answers
from roi_web.http.csv_answers import CsvResponse
from roi_web.http.parameters import declared_parameters
from roi_web.http.problems import ProblemError

_NAME = {"model_name": "reference"}
NEEDED = {
    "live-skill": _NAME,
    "context": {"symbol": "GC=F"},
    "scores": {"version_id": "reference-version-03"},
    "version-differences": {"a": "reference-version-03", "b": "reference-version-02"},
    "mean": _NAME,
    "track-record/days": {**_NAME, "period": "12"},
    "track-record/assets": _NAME,
    "prices": {**_NAME, "symbol": "GC=F"},
}
LISTS = [
    route.path
    for route in router.routes
    if isinstance(route, ApiRoute) and "format" in declared_parameters(route)
]


@pytest.fixture(scope="module")
def client(planted: Planted) -> TestClient:
    return planted.client()


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def all_items(client: TestClient, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
    answer = client.get(path, params=query).json()
    if isinstance(answer, list):
        return answer
    items = list(answer["items"])
    while answer["next_cursor"] is not None:
        answer = client.get(path, params={**query, "cursor": answer["next_cursor"]}).json()
        items += answer["items"]
    return items


def flat(item: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return an item with the values of an inner object under names of their own."""
    if names >= item.keys():
        return item
    return {
        f"{name}.{inner}" if inner else name: each
        for name, value in item.items()
        for inner, each in (value.items() if isinstance(value, dict) else [("", value)])
    }


def test_every_route_of_the_api_checks_its_query_and_chooses_its_format() -> None:
    assert [route.path for route in router.routes if not isinstance(route, ApiRoute)] == []
    assert len(LISTS) >= 17


@pytest.mark.parametrize("path", LISTS)
def test_a_csv_has_the_values_of_the_json_of_every_page(client: TestClient, path: str) -> None:
    query = next((needed for end, needed in NEEDED.items() if path.endswith(end)), {})
    response = client.get(path, params={**query, "format": "csv"})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["Content-Length"] == str(len(response.content))

    found = rows_of(response.content)
    items = all_items(client, path, query)
    assert len(found) == len(items)
    for row, item in zip(found, items, strict=True):
        for name, value in flat(item, set(row)).items():
            cell = row.pop(name)
            if value is None:
                assert cell == ""
            else:
                assert (cell if isinstance(value, str) else json.loads(cell)) == value
        assert row == {}


def test_a_csv_of_nothing_has_the_names_of_its_columns(unplanted: Planted) -> None:
    response = unplanted.client().get("/api/v1/forecasts?format=csv")
    assert response.text.startswith("model_name,symbol,name,as_of_date,")
    assert response.text.count("\r\n") == 1


def test_a_csv_is_named_after_its_question(client: TestClient) -> None:
    response = client.get(
        "/api/v1/forecasts",
        params={"symbol": "M&M.NS", "as_of_date": "2026-11-13", "limit": "2", "format": "csv"},
    )
    name = 'attachment; filename="forecasts_M-M.NS_2026-11-13.csv"'
    assert response.headers["Content-Disposition"] == name
    assert len(rows_of(client.get("/api/v1/forecasts?limit=7&format=csv").content)) == 7
    by_accept = client.get("/api/v1/forecasts/latest", headers={"Accept": "text/csv"})
    assert 'filename="forecasts-latest.csv"' in by_accept.headers["Content-Disposition"]


def test_values_are_exact_and_no_text_is_a_formula() -> None:
    text = {
        "=HYPERLINK(0)": "'=HYPERLINK(0)",
        "+1": "'+1",
        "-1": "'-1",
        "@SUM": "'@SUM",
        "\t=1": "'\t=1",
        "\N{FULLWIDTH EQUALS SIGN}1": "'\N{FULLWIDTH EQUALS SIGN}1",
        "GC=F": "GC=F",
        "^GSPC": "^GSPC",
        'a, "b"\nc': 'a, "b"\nc',
        "Nestl\N{LATIN SMALL LETTER E WITH ACUTE}": "Nestl\N{LATIN SMALL LETTER E WITH ACUTE}",
    }
    numbers = [0.1 + 0.2, -1e-300, 5e-324, 1.7976931348623157e308, -0.05, 12.0]
    (row,) = csv.reader(
        io.StringIO(
            content_of(CsvResponse(["a"], [[*text, *numbers, -3, True, None, float("nan")]]))
            .decode()
            .partition("\r\n")[2],
            newline="",
        )
    )
    assert row[: len(text)] == list(text.values())
    figures = row[len(text) : len(text) + len(numbers)]
    assert [float(figure).hex() for figure in figures] == [figure.hex() for figure in numbers]
    assert row[-4:] == ["-3", "true", "", ""]


def test_times_have_a_zone_and_lists_are_json() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    values = [late, date(2026, 11, 20), ["GC=F", "\N{EURO SIGN}"], {"a": None}]
    content = content_of(CsvResponse(["a"], [values])).decode().splitlines()[1]
    assert next(csv.reader([content])) == [
        "2026-11-20T18:00:00Z",
        "2026-11-20",
        '["GC=F", "\N{EURO SIGN}"]',
        '{"a": null}',
    ]


def test_too_many_rows_are_refused_with_what_narrows_them(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_answers, "MAX_ROWS", 100)
    query = {"model_name": "reference", "format": "csv"}
    problem = client.get("/api/v1/forecasts", params=query).json()
    assert (problem["status"], problem["type"]) == (422, "/roi/docs#too-many-rows")
    assert problem["detail"].startswith(
        "a CSV has at most 100 rows, and this one has more; narrow it by "
    )
    dates = {"as_of_date", "target_date", "since", "until"}
    narrowing = {"symbol", *dates, "horizon", "version_id", "backfill"}
    assert set(problem["allowed"]) == narrowing
    day = client.get("/api/v1/forecasts", params={**query, "as_of_date": "2026-11-13"})
    assert len(rows_of(day.content)) == 5
    exact = client.get("/api/v1/forecasts", params={**query, "limit": "100"})
    assert len(rows_of(exact.content)) == 100


def test_a_csv_that_is_read_slowly_holds_no_connection(planted: Planted) -> None:
    held: list[int] = []

    async def send(_: Any) -> None:
        assert isinstance(planted.reader.pool, QueuePool)
        held.append(planted.reader.pool.checkedout())

    async def never() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/roi/api/v1/forecasts",
        "query_string": b"format=csv",
        "headers": [(b"authorization", TOKEN["Authorization"].encode())],
    }
    asyncio.run(planted.application()(scope, never, send))
    assert len(held) >= 3
    assert set(held) == {0}


def test_answers_that_nobody_reads_are_few_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    unread = [CsvResponse(["a"], [[number]]) for number in range(csv_answers.MAX_UNREAD)]
    with pytest.raises(ProblemError, match="too many clients are reading a CSV") as error:
        CsvResponse(["a"], [[1]])
    assert error.value.status_code == 503
    assert content_of(unread.pop()) == b"a\r\n15\r\n"

    async def never() -> Any:
        await asyncio.Event().wait()

    async def too_slow(_: Any) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as impatient, pytest.raises(TimeoutError):
        impatient.setattr(csv_answers, "SECONDS_TO_READ", 0.01)
        asyncio.run(unread.pop()(SCOPE, never, too_slow))
    with pytest.raises(ZeroDivisionError):
        CsvResponse(["a"], ([1 // 0] for _ in range(1)))
    again = [CsvResponse(["a"], [[1]]) for _ in range(2)]
    assert len(again) + len(unread) == csv_answers.MAX_UNREAD
    unread.clear()
    assert content_of(CsvResponse(["a"], [[1]])) == b"a\r\n1\r\n"


def test_all_rows_are_of_one_moment(postgres: EmbeddedPostgres, market_template: str) -> None:
    market = {"assets": 1, "sessions": 4, "versions": 4}
    with planted_market(postgres, market_template, market) as planted:
        with planted.reader.connect() as connection:
            rows = Promotion.stream(connection)
            reasons = [next(rows)[Promotion.view.c.keys().index("reason")]]
            with planted.engine.begin() as other:
                other.execute(update(promotions).values(reason="changed"))
            reasons += [row[Promotion.view.c.keys().index("reason")] for row in rows]
        assert len(reasons) >= 2
        assert set(reasons) == {"all 6 rules passed"}


SCOPE = {"type": "http", "asgi": {"spec_version": "2.4"}}


def content_of(response: CsvResponse) -> bytes:
    """Return what a client gets that reads a response to its end."""
    parts: list[bytes] = []

    async def send(message: Any) -> None:
        parts.append(message.get("body", b""))

    async def receive() -> Any:
        await asyncio.Event().wait()

    asyncio.run(response(SCOPE, receive, send))
    return b"".join(parts)
