from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import QueuePool, delete, insert, select, text
from starlette.routing import Mount

from planted import DAG_ID, TOKEN, Planted, authorize
from planted_experiments import BACKTEST, STUDY
from roi_forecast.database.tables import daily_prices, predictions
from roi_forecast.reading.engine import create_reader_engine
from roi_forecast.settings import Settings
from roi_web.application import create_application

_NAME = {"model_name": "reference"}
_ASSET = {**_NAME, "symbol": "GC=F"}
NEEDED = {
    "live-skill": _NAME,
    "context": {"symbol": "GC=F"},
    "mean": _NAME,
    "days": _NAME,
    "assets": _NAME,
    "prices": _ASSET,
    "outcomes": _ASSET,
    "scores": {"version_id": "reference-version-03"},
    "version-differences": {"a": "reference-version-03", "b": "reference-version-02"},
}
EXAMPLES = {
    "{symbol}": "GC%3DF",
    "{version_id}": "reference-version-03",
    "{name}": "none",
    "{run_id}": quote(BACKTEST),
    "{study}": STUDY,
}


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
        assert refused.headers["WWW-Authenticate"] == "Bearer"
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
        assert response.headers["Allow"] == "GET, HEAD"
        assert response.json()["detail"] == f"'{method}' is not possible here; allowed: GET, HEAD"


def test_head_answers_like_get_without_the_body_and_options_with_what_is_allowed(
    client: TestClient,
) -> None:
    for path in ("/api/v1/runs", "/api/v1/runs?format=csv", "/", "/api/v1/nothing"):
        body, head = client.get(path), client.head(path)
        assert head.status_code == body.status_code
        assert head.headers["Content-Length"] == str(len(body.content))
        assert head.content == b""
    options = client.options("/api/v1/runs")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD")


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
        found = items(client, "forecasts/latest", model_name="reference", symbol="GC=F")
        assert [row["horizon"] for row in found] == [1, 2, 3, 5]
        assert [row["method"] for row in found] == ["single_step"] + ["recursive"] * 3
        assert (
            "interval of the next session, 2 sessions ahead, 3 sessions ahead"
            in client.get("/assets/GC%3DF").text
        )
        assert len(items(client, "forecasts/latest", model_name="reference", horizon=1)) == 5
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


DATE = "a date such as 2026-11-25"
NAMES = "reference, simulated"
WRONG_CURSOR = (
    "cursor: received 'wrong'; it has to be the next_cursor of an earlier page of the same list"
)
WRONG_NAME = (
    "there is no parameter 'modelname' here; did you mean 'model_name'? there are: cursor, format, "
    "limit, model_name, symbol"
)


@pytest.mark.parametrize(
    ("path", "status", "kind", "sentence"),
    [
        ("forecasts?limit=0", 422, "invalid-parameter",
         "limit: received '0'; it has to be a whole number from 1 to 1000"),
        ("forecasts?limit=x", 422, "invalid-parameter",
         "limit: received 'x'; it has to be a whole number from 1 to 1000"),
        ("forecasts?as_of_date=yesterday", 422, "invalid-parameter",
         f"as_of_date: received 'yesterday'; it has to be {DATE}"),
        ("forecasts?target_date=20261113", 422, "invalid-parameter",
         f"target_date: received '20261113'; it has to be {DATE}"),
        ("forecasts?since=0.0", 422, "invalid-parameter",
         f"since: received '0.0'; it has to be {DATE}"),
        ("forecasts?symbol=", 422, "invalid-parameter",
         "symbol: received ''; it has to be text of 1 to 250 characters"),
        ("forecasts?symbol=a%00b", 422, "invalid-parameter",
         "symbol: received 'a\\x00b'; it has to be text without the null character"),
        ("forecasts?cursor=wrong", 422, "invalid-parameter",
         WRONG_CURSOR),
        ("runs?format=csv&cursor=W10", 422, "invalid-parameter",
         "cursor: a CSV has no pages; leave it out"),
        ("versions?state=great", 422, "invalid-parameter",
         "state: received 'great'; it has to be one of candidate, champion, retired, rejected"),
        ("runs?format=xml", 422, "invalid-parameter",
         "format: received 'xml'; it has to be one of json, csv"),
        ("outcomes?backfill=perhaps", 422, "invalid-parameter",
         "backfill: received 'perhaps'; it has to be true or false"),
        ("live-skill", 422, "invalid-parameter",
         "model_name: it is missing; it has to be text of 1 to 250 characters"),
        ("drift?modelname=a", 422, "unknown-parameter",
         WRONG_NAME),
        ("versions/reference-version-02?x", 422, "unknown-parameter",
         "there is no parameter 'x' here; there are none"),
        ("drift?symbol=A&symbol=B", 422, "repeated-parameter",
         "symbol: received 2 values, 'A', 'B'; one is allowed"),
        ("versions/none", 404, "not-found",
         "there is no version 'none'; /api/v1/versions lists them"),
        ("gate-decisions?version_id=none", 404, "not-found",
         "there is no version 'none'; /api/v1/versions lists them"),
        ("scores?version_id=none&format=csv", 404, "not-found",
         "there is no version 'none'; /api/v1/versions lists them"),
        ("runs?run_id=none", 404, "not-found", "there is no run 'none'; /api/v1/runs lists them"),
        ("forecasts?symbol=GC-F", 404, "not-found",
         "there is no asset 'GC-F'; /api/v1/health/assets lists those of the newest runs"),
        ("live-skill?model_name=simulate", 404, "not-found",
         "there is no model name 'simulate'; did you mean 'simulated'? there are: " + NAMES),
        ("health?model_name=x", 404, "not-found",
         "there is no model name 'x'; there are: " + NAMES),
        ("nothing", 404, "not-found",
         "there is nothing at '/roi/api/v1/nothing'; /roi/docs lists what there is"),
    ],
)  # fmt: skip
def test_wrong_request_gets_one_sentence(
    client: TestClient, path: str, status: int, kind: str, sentence: str
) -> None:
    response = client.get(f"/api/v1/{path}")
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.status_code == problem["status"] == status
    assert problem["type"] == f"/roi/docs#{kind}"
    assert problem["title"] == kind.replace("-", " ").capitalize()
    assert problem["detail"] == sentence


def test_a_problem_holds_what_a_program_needs(client: TestClient) -> None:
    unknown = client.get("/api/v1/model-names?limits=5").json()
    assert unknown["parameter"] == "limits"
    assert unknown["allowed"] == ["cursor", "format", "limit"]
    wrong = client.get("/api/v1/versions?state=great").json()
    assert (wrong["parameter"], wrong["received"]) == ("state", "great")
    assert wrong["allowed"] == ["candidate", "champion", "retired", "rejected"]
    long = client.get(f"/api/v1/runs?{'x' * 5000}=1").json()
    assert len(long["detail"]) < 300


def test_every_list_refuses_unknown_and_repeated_parameters_and_names(planted: Planted) -> None:
    client = planted.client()
    lists = 0
    for path in routes(planted.application()):
        if not path.startswith("/api/v1/"):
            continue
        query = NEEDED.get(path.rpartition("/")[2], {})

        def asked(path: str = path, **changes: Any) -> dict[str, Any]:
            answer: dict[str, Any] = client.get(path, params={**query, **changes}).json()  # noqa: B023
            return answer

        assert asked(nonsense="1")["type"].endswith("#unknown-parameter"), path
        allowed = asked(nonsense="1").get("allowed", [])
        for name in allowed:
            repeated = client.get(f"{path}?{name}=1&{name}=1").json()
            assert repeated["type"].endswith("#repeated-parameter"), path
        for name in {"model_name", "version_id", "run_id", "symbol"} & set(allowed):
            problem = asked(**{name: "none"})
            assert (problem["status"], problem["parameter"]) == (404, name), path
            lists += 1
    assert lists >= 30


def test_what_exists_but_has_no_rows_is_an_empty_list(client: TestClient) -> None:
    assert items(client, "drift", model_name="simulated") == []
    assert items(client, "forecasts", symbol="GC=F", as_of_date="1999-01-04") == []


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("image/png", "application/problem+json"),
        ("text/csv;q=0, application/json;q=0", "application/problem+json"),
    ],
)
def test_accept_chooses_the_format(client: TestClient, accept: str, kind: str) -> None:
    response = client.get("/api/v1/runs", headers={"Accept": accept})
    assert response.headers["Content-Type"].partition(";")[0] == kind
    assert response.status_code == (406 if "problem" in kind else 200)
    chosen = client.get("/api/v1/runs?format=json", headers={"Accept": accept})
    assert chosen.headers["Content-Type"] == "application/json"
    assert chosen.headers["Vary"] == "Accept"


def test_one_version_is_no_table(client: TestClient) -> None:
    response = client.get("/api/v1/versions/reference-version-02", headers={"Accept": "text/csv"})
    problem = response.json()
    assert (response.status_code, problem["allowed"]) == (406, ["application/json"])
    assert problem["detail"] == "Accept: received 'text/csv'; here there is only application/json"


def test_pages_have_pages_as_errors_unless_a_program_asks(client: TestClient) -> None:
    page = client.get("/versions/none", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    program = client.get("/versions/none", headers={"Accept": "application/json"})
    assert program.headers["Content-Type"] == "application/problem+json"


def test_an_unforeseen_error_is_a_problem_with_the_security_headers(planted: Planted) -> None:
    app = planted.application()
    (mount,) = (route for route in app.routes if isinstance(route, Mount))
    mount.app.state.engine = None  # type: ignore[attr-defined]
    client = TestClient(app, "http://test/roi", headers=TOKEN, raise_server_exceptions=False)
    response = client.get("/api/v1/runs")
    assert response.status_code == response.json()["status"] == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


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


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_error_of_a_static_file_is_a_problem_that_no_cache_keeps(
    client: TestClient, method: str
) -> None:
    response = client.request(method, f"/static/{'roi' if method == 'DELETE' else 'none'}.css")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"].startswith("/roi/docs#")
    assert response.headers["Cache-Control"] == "private, no-store"


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
        errors = {"401", "403", "404", "406", "422", "429", "500", "503"}
        assert set(operation["responses"]) == {"200", *errors}, path
        for status in errors:
            assert set(operation["responses"][status]["content"]) == {"application/problem+json"}
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
    assert response.status_code == response.json()["status"] == 404


def test_prices_are_those_of_the_source_of_a_model_name(
    client: TestClient, planted: Planted
) -> None:
    asked = {"model_name": "reference", "symbol": "GC=F"}
    found = items(client, "prices", **asked, since="2026-11-02", until="2026-11-13")
    with planted.engine.connect() as connection:
        rows = connection.execute(
            select(daily_prices.c.trading_date, daily_prices.c.adj_close)
            .where(
                daily_prices.c.source == "yahoo",
                daily_prices.c.symbol == "GC=F",
                daily_prices.c.trading_date.between(date(2026, 11, 2), date(2026, 11, 13)),
            )
            .order_by(daily_prices.c.trading_date.desc())
        ).all()
    assert len(found) == 10
    assert [(row["trading_date"], row["adj_close"]) for row in found] == [
        (row.trading_date.isoformat(), row.adj_close) for row in rows
    ]
    assert {(row["currency"], row["simulated"]) for row in found} == {("INR", False)}
    assert items(client, "prices", model_name="simulated", symbol="GC=F")[0]["simulated"]


def test_track_record_counts_each_outcome_once_by_day_and_by_asset(client: TestClient) -> None:
    asked = {"model_name": "reference", "period": "all", "backfills": True}
    days = client.get("/api/v1/track-record/days", params=asked).json()
    assets = client.get("/api/v1/track-record/assets", params=asked).json()
    outcomes = items(client, "outcomes", model_name="reference", horizon=1, limit=1000)

    assert {row["symbol"]: row["forecasts"] for row in assets} == Counter(
        row["symbol"] for row in outcomes
    )
    assert {row["target_date"]: row["inside_80"] for row in days} == Counter(
        row["target_date"] for row in outcomes if row["inside_80"]
    )
    newest = [row for row in outcomes if row["target_date"] == days[-1]["target_date"]]
    errors = [abs(row["error_pct"]) for row in newest]
    assert days[-1]["mae_pct"] == pytest.approx(sum(errors) / len(errors))


def test_mean_context_is_the_mean_over_the_assets(client: TestClient) -> None:
    mean = client.get("/api/v1/forecasts/latest/context/mean", params=_NAME).json()
    symbols = {row["symbol"] for row in items(client, "forecasts/latest", **_NAME)}
    added: dict[str, list[float]] = {}
    for symbol in symbols:
        for row in items(client, "forecasts/latest/context", **_NAME, symbol=symbol):
            added.setdefault(row["context_symbol"], []).append(row["added_pct"])
    assert {row["symbol"]: row["added_pct"] for row in mean} == {
        symbol: pytest.approx(sum(values) / len(values)) for symbol, values in added.items()
    }
