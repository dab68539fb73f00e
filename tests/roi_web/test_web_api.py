from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import QueuePool, delete, insert, select, text
from starlette.routing import Mount

from planted import DAG_ID, TOKEN, Planted, authorize
from roi_forecast.database.tables import predictions
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings
from roi_web.application import create_application

NEEDED = {"live-skill": {"model_name": "reference"}, "context": {"symbol": "GC=F"}}
EXAMPLES = {"{symbol}": "GC%3DF", "{version_id}": "reference-version-03", "{name}": "none"}


@pytest.fixture(scope="module")
def client(planted: Planted) -> TestClient:
    return planted.client()


def routes(app: FastAPI) -> Iterator[str]:
    """Every path of the application below /roi, with values for its parameters."""
    (mount,) = (route for route in app.routes if isinstance(route, Mount))
    for route in mount.routes:
        if isinstance(route, Mount):
            continue
        assert isinstance(route, APIRoute), "an unknown kind of route needs a test of its login"
        path = route.path
        for name, value in EXAMPLES.items():
            path = path.replace(name, value)
        assert "{" not in path
        yield path


def items(client: TestClient, path: str, **query: Any) -> list[dict[str, Any]]:
    response = client.get(f"/api/v1/{path}", params=query)
    assert response.status_code == 200, response.text
    answer: list[dict[str, Any]] = response.json()["items"]
    return answer


def test_every_route_needs_a_login(planted: Planted) -> None:
    app = planted.application()
    known = list(routes(app))
    assert len(known) >= 20
    logged_in, anonymous = TestClient(app, headers=TOKEN), TestClient(app)
    for path in known:
        query = NEEDED.get(path.rpartition("/")[2])
        # No picture is planted: getting as far as looking for it is what a login gives.
        expected = 404 if "/plots/" in path else 200
        assert logged_in.get(f"/roi{path}", params=query).status_code == expected, path
        refused = anonymous.get(f"/roi{path}", params=query)
        assert refused.status_code == 401, path
        assert "reference" not in refused.text, path
        assert "GC=F" not in refused.text, path


def test_login_is_checked_before_parameters(planted: Planted) -> None:
    anonymous = TestClient(planted.application())
    for path in ("api/v1/forecasts/latest?limit=0", "versions/none", "?model_name=none"):
        assert anonymous.get(f"/roi/{path}").status_code == 401


def test_only_reading_is_possible(client: TestClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = client.request(method, "/api/v1/forecasts")
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET"


def test_latest_forecasts_are_those_of_the_newest_as_of_date(
    client: TestClient, planted: Planted
) -> None:
    found = items(client, "forecasts/latest", model_name="reference")

    with planted.engine.connect() as connection:
        rows = connection.execute(
            select(predictions)
            .where(predictions.c.version_id == "reference-version-03")
            .order_by(predictions.c.as_of_date.desc(), predictions.c.symbol)
            .limit(5)
        ).all()
    assert {row["symbol"]: row["predicted_roi_pct"] for row in found} == {
        row.symbol: row.predicted_roi_pct for row in rows
    }
    assert {row["as_of_date"] for row in found} == {rows[0].as_of_date.isoformat()}
    assert {row["version_next_day_r2_against_zero"] for row in found} == {-0.0003}
    assert {row["published_at"] for row in found} == {"2026-11-20T22:00:00Z"}
    for row in found:
        parts = row["gap_roi_pct"] + row["open_to_close_roi_pct"]
        assert parts == pytest.approx(row["predicted_roi_pct"])
        assert row["missing_context"] == ["INR=X"]


def test_forecasts_are_found_by_symbol_and_date(client: TestClient) -> None:
    found = items(
        client, "forecasts", symbol="M&M.NS", as_of_date="2026-11-13", model_name="reference"
    )
    assert [(row["symbol"], row["as_of_date"]) for row in found] == [("M&M.NS", "2026-11-13")]
    (same,) = items(client, "forecasts", symbol="M&M.NS", target_date=found[0]["target_date"],
                    model_name="reference")  # fmt: skip
    assert same == found[0]
    assert items(client, "forecasts", horizon=7) == []


def test_path_has_the_steps_of_the_newest_as_of_date_in_order(planted: Planted) -> None:
    with planted.engine.connect() as connection:
        newest = connection.execute(
            select(predictions)
            .where(predictions.c.symbol == "GC=F", predictions.c.source == "yahoo")
            .order_by(predictions.c.as_of_date.desc())
            .limit(1)
        ).one()
    steps = [
        {
            **newest._mapping,
            "horizon": horizon,
            "target_date": newest.target_date + timedelta(days=horizon),
            "method": "recursive",
            "gap_roi_pct": None,
            "open_to_close_roi_pct": None,
            "context": None,
        }
        for horizon in (5, 2, 3)
    ]
    with planted.engine.begin() as connection:
        connection.execute(insert(predictions), steps)
    try:
        client = planted.client()
        found = items(client, "forecasts/latest/path", model_name="reference", symbol="GC=F")
        assert [row["horizon"] for row in found] == [1, 2, 3, 5]
        assert [row["method"] for row in found] == ["single_step"] + ["recursive"] * 3
        assert "each of the next 4 sessions" in client.get("/assets/GC%3DF").text
        assert len(items(client, "forecasts/latest", model_name="reference")) == 5
    finally:
        with planted.engine.begin() as connection:
            connection.execute(delete(predictions).where(predictions.c.horizon > 1))


def test_latest_context_is_what_was_stored_with_the_newest_forecasts(
    client: TestClient, planted: Planted
) -> None:
    found = items(client, "forecasts/latest/context", symbol="GC=F")
    with planted.engine.connect() as connection:
        stored = connection.scalars(
            select(predictions.c.context)
            .where(predictions.c.symbol == "GC=F", predictions.c.source == "yahoo")
            .order_by(predictions.c.as_of_date.desc())
            .limit(1)
        ).one()
    assert {
        row["context_symbol"]: {name: row[name] for name in ("move_pct", "added_pct")}
        for row in found
    } == stored
    assert [(row["context_symbol"], row["context_name"], row["missing"]) for row in found] == [
        ("INR=X", "Context 1", True),
        ("^GSPC", "Context 0", False),
    ]
    assert items(client, "forecasts/latest/context", symbol="GC=F", model_name="simulated") == []


def test_outcomes_are_between_the_given_dates(client: TestClient) -> None:
    found = items(
        client, "outcomes", model_name="reference", since="2026-11-10", until="2026-11-12"
    )
    assert {row["target_date"] for row in found} == {"2026-11-10", "2026-11-11", "2026-11-12"}
    assert len(found) == 3 * 5
    assert (
        items(client, "outcomes", model_name="reference", since="2026-11-10", backfill=True) == []
    )


def test_simulated_rows_are_marked(client: TestClient) -> None:
    for path in ("forecasts/latest", "forecasts", "outcomes", "versions", "gate-decisions",
                 "runs", "health/assets", "promotions"):  # fmt: skip
        rows = items(client, path, model_name="simulated")
        assert rows, path
        assert all(row["simulated"] for row in rows), path
        assert not any(row["simulated"] for row in items(client, path, model_name="reference"))


def test_version_includes_scores_and_rulings(client: TestClient) -> None:
    answer = client.get("/api/v1/versions/reference-version-02").json()
    assert answer["details"]["state"] == "rejected"
    assert answer["details"]["verdict_passed"] is False
    assert {row["predictor"] for row in answer["scores"]} >= {"model", "no_skill", "linear"}
    rules = {row["rule"]: row["passed"] for row in answer["rulings"]}
    assert rules["champion"] is False
    assert rules["next_day"] is True


def test_gate_decisions_are_found_by_version(client: TestClient) -> None:
    rows = items(client, "gate-decisions", version_id="reference-version-02")
    assert {row["version_id"] for row in rows} == {"reference-version-02"}
    assert [row["passed"] for row in rows if row["is_verdict"]] == [False]


def test_health_names_what_failed_in_the_newest_run(client: TestClient) -> None:
    (summary,) = client.get("/api/v1/health", params={"model_name": "reference"}).json()
    assert summary["assets"] == summary["assets_up_to_date"] == 5
    assert summary["run"]["failed_extractions"] == 1
    assert summary["run"]["failed_checks"] == 1
    failed = [
        row for row in items(client, "health/assets", model_name="reference")
        if row["extraction_status"] == "failed"
    ]  # fmt: skip
    assert [row["symbol"] for row in failed] == ["M&M.NS"]
    assert "429" in failed[0]["extraction_error"]
    (check,) = items(client, "health/failed-checks", model_name="reference")
    assert check["check_name"] == "jump"


def test_empty_database_gives_empty_lists(unplanted: Planted) -> None:
    client = unplanted.client()
    for path in ("model-names", "forecasts/latest", "forecasts", "outcomes", "versions",
                 "gate-decisions", "promotions", "runs", "health/assets", "drift"):  # fmt: skip
        assert items(client, path) == []
    assert client.get("/api/v1/health").json() == []


def test_cursor_leads_to_the_next_page(client: TestClient) -> None:
    first = client.get("/api/v1/forecasts", params={"limit": 3}).json()
    second = client.get(
        "/api/v1/forecasts", params={"limit": 3, "cursor": first["next_cursor"]}
    ).json()
    both = items(client, "forecasts", limit=6)
    assert first["items"] + second["items"] == both


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("forecasts?limit=0", 422, "limit: received '0'; Input should be greater than or equal"),
        ("forecasts?limit=1001", 422, "limit: received '1001'"),
        ("forecasts?as_of_date=yesterday", 422, "as_of_date: received 'yesterday'"),
        ("forecasts?symbol=", 422, "symbol: received ''"),
        ("forecasts?symbol=a%00b", 422, "null character"),
        ("forecasts?cursor=wrong", 422, "cursor: received 'wrong'; it has to be the next_cursor"),
        ("versions?state=great", 422, "state: received 'great'"),
        ("live-skill", 422, "model_name: received"),
        ("versions/none", 404, "there is no version 'none'"),
        ("nothing", 404, "Not Found"),
    ],
)
def test_wrong_request_gets_one_sentence(
    client: TestClient, path: str, status: int, sentence: str
) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == status
    assert set(response.json()) == {"detail"}
    assert sentence in response.json()["detail"]


def test_every_response_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/api/v1/runs", "/api/v1/nothing", "/nothing", "/static/roi.css"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/").headers["Cache-Control"] == "private, no-store"
    assert "immutable" in client.get("/static/roi.css").headers["Cache-Control"]


def test_openapi_describes_every_route_and_its_errors(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    paths = [
        route.path
        for route in client.app.routes[0].routes  # type: ignore[attr-defined]
        if isinstance(route, APIRoute) and route.path.startswith("/api/")
    ]
    assert set(schema["paths"]) == set(paths)
    for path, methods in schema["paths"].items():
        operation = methods["get"]
        assert operation["description"], path
        assert {"200", "401", "403", "422", "429", "503"} <= set(operation["responses"]), path
        assert all(parameter.get("description") for parameter in operation["parameters"]), path


def test_a_crowd_of_requests_waits_for_connections(planted: Planted) -> None:
    async def crowd() -> list[int]:
        transport = httpx.ASGITransport(planted.application())
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=TOKEN
        ) as client:
            paths = ["/roi/api/v1/forecasts/latest", "/roi/", "/roi/health"] * 70
            answers = await asyncio.gather(*(client.get(path) for path in paths))
        return [answer.status_code for answer in answers]

    assert set(asyncio.run(crowd())) == {200}


def test_a_response_that_is_read_slowly_holds_no_connection(planted: Planted) -> None:
    held: list[int] = []

    async def send(_: Any) -> None:
        assert isinstance(planted.reader.pool, QueuePool)
        held.append(planted.reader.pool.checkedout())

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/roi/api/v1/forecasts/latest",
        "query_string": b"",
        "headers": [(b"authorization", TOKEN["Authorization"].encode())],
    }
    asyncio.run(planted.application()(scope, receive, send))
    assert held == [0, 0]


def answer_of(url: str) -> httpx.Response:
    engine = create_reader_engine(Settings(url, "unused"))  # type: ignore[arg-type]
    app = create_application(engine, authorize, dag_id=DAG_ID)
    response = TestClient(app, headers=TOKEN).get("/api/v1/runs")
    engine.dispose()
    return response


def test_error_says_that_the_database_cannot_be_reached() -> None:
    response = answer_of("postgresql+psycopg://postgres@/market?host=/nowhere")
    assert response.status_code == 503
    assert "cannot be reached" in response.json()["detail"]
    assert "/nowhere" not in response.text


def test_error_says_that_the_database_has_no_views(planted: Planted) -> None:
    url = planted.engine.url.set(database="postgres").render_as_string(hide_password=False)
    response = answer_of(url)
    assert response.status_code == 503
    assert "python -m roi_forecast.database.migrate" in response.json()["detail"]


def test_error_says_that_the_user_may_not_act_as_reader(planted: Planted) -> None:
    with planted.engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS stranger_of_test"))
        connection.execute(text("CREATE ROLE stranger_of_test LOGIN"))
    url = planted.engine.url.set(username="stranger_of_test")
    response = answer_of(url.render_as_string(hide_password=False))
    assert response.status_code == 503
    assert "GRANT roi_reader" in response.json()["detail"]


def test_error_of_a_path_with_a_line_break_is_json_too(client: TestClient) -> None:
    response = client.get("/api/v1/versions/none%0A")
    assert response.status_code == 404
    assert set(response.json()) == {"detail"}
