from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from roi_airflow.api_server import run_refusals
from roi_airflow.api_server.run_refusals import RunRefusals
from roi_forecast.universe.declarations import UNIVERSE_VARIABLE

DAILY = "daily_roi_forecast"
RUNS = f"/api/v2/dags/{DAILY}/dagRuns"
WRONG = {"epoch": 3}
REASON = "run parameters refused: epoch: unknown parameter, received 3; did you mean epochs?"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """DAGs for which the right to start a run was asked; the header says whether it is there."""
    dags: list[str] = []

    async def get_user(request: Request, *_: object) -> str:
        if "login" not in request.headers:
            raise HTTPException(401, "Not authenticated")
        return request.headers["login"]

    def requires_access_dag(method: str, _entity: object, dag_id: str) -> Any:
        def allow(_request: Request, user: str) -> None:
            dags.append(dag_id)
            if user != "may" or method != "POST":
                raise HTTPException(403, "Forbidden")

        return allow

    monkeypatch.setattr(run_refusals, "get_user", get_user)
    monkeypatch.setattr(run_refusals, "requires_access_dag", requires_access_dag)
    return dags


def create_client(root_path: str = "") -> TestClient:
    """A server with Airflow's routes, which answer with what arrived."""
    app = FastAPI(root_path=root_path)
    app.add_middleware(RunRefusals)

    async def answer(request: Request) -> dict[str, str]:
        return {"airflow": (await request.body()).decode()}

    for path, name in {
        "/api/v2/dags/{dag_id}/dagRuns": "trigger_dag_run",
        "/api/v2/backfills": "create_backfill",
        "/api/v2/backfills/dry_run": "create_backfill_dry_run",
    }.items():
        app.add_api_route(path, answer, methods=["POST"], name=name)
    return TestClient(app, f"http://test{root_path}", headers={"login": "may"})


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("root_path", ["", "/airflow"])
@pytest.mark.parametrize("path", [RUNS, "/api/v2/dags/%64aily_roi_forecast/dagRuns"])
def test_a_run_that_cannot_start_is_answered_with_its_reason(root_path: str, path: str) -> None:
    answer = create_client(root_path).post(path, json={"conf": WRONG})
    assert (answer.status_code, answer.json()) == (400, {"detail": REASON})


@pytest.mark.usefixtures("asked")
def test_a_backfill_whose_runs_cannot_start_is_answered_with_their_reason() -> None:
    body = {"dag_id": DAILY, "dag_run_conf": WRONG}
    answer = create_client().post("/api/v2/backfills", json=body)
    assert (answer.status_code, answer.json()) == (400, {"detail": REASON})


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (RUNS, json.dumps({"conf": {"epochs": 3}, "note": "é"})),
        (RUNS, json.dumps({"conf": None})),
        (RUNS, json.dumps({"conf": [1]})),
        (RUNS, json.dumps({"logical_date": None})),
        (RUNS, "[]"),
        (RUNS, '{"conf":'),
        (RUNS, "[" * 100_000),
        (RUNS, ""),
        ("/api/v2/dags/other/dagRuns", json.dumps({"conf": WRONG})),
        ("/api/v2/dags/~/dagRuns", json.dumps({"conf": WRONG})),
        ("/api/v2/backfills", json.dumps({"dag_id": "other", "dag_run_conf": WRONG})),
        ("/api/v2/backfills", json.dumps({"dag_id": [DAILY], "dag_run_conf": WRONG})),
        ("/api/v2/backfills", json.dumps({"dag_id": DAILY, "dag_run_conf": None})),
        ("/api/v2/backfills/dry_run", json.dumps({"dag_id": DAILY, "dag_run_conf": WRONG})),
    ],
)
def test_what_it_does_not_refuse_reaches_airflow_unchanged(path: str, body: str) -> None:
    answer = create_client().post(path, content=body.encode())
    assert (answer.status_code, answer.json()) == (200, {"airflow": body})


@pytest.mark.parametrize("login", [{}, {"login": "may not"}])
def test_who_may_not_start_a_run_gets_airflow_s_answer_and_no_reason(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], login: dict[str, str]
) -> None:
    monkeypatch.setattr(run_refusals, "refusal", lambda *_, **__: pytest.fail("was asked"))
    client = create_client()
    del client.headers["login"]
    answer = client.post(RUNS, json={"conf": WRONG}, headers=login)
    assert answer.status_code == 200
    assert "airflow" in answer.json()
    assert asked == [DAILY] * len(login)


@pytest.mark.usefixtures("asked")
def test_an_error_of_the_check_itself_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run_refusals, "refusal", fail)
    assert create_client().post(RUNS, json={"conf": WRONG}).status_code == 200


@pytest.mark.usefixtures("asked")
def test_a_universe_that_cannot_be_read_here_refuses_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(UNIVERSE_VARIABLE, "/nowhere/universe.toml")
    conf = {"symbols": ["ANY.XY"]}
    assert create_client().post(RUNS, json={"conf": conf}).status_code == 200


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("run_after", [{}, {"run_after": None}, {"run_after": "soon"}])
def test_a_future_date_is_refused_unless_the_run_itself_starts_later(
    run_after: dict[str, Any],
) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    conf = {"source": "simulated", "as_of_date": f"{later - timedelta(days=20):%Y-%m-%d}"}
    client = create_client()
    refused = client.post(RUNS, json={"conf": conf, **run_after})
    assert refused.status_code == 400
    assert "as_of_date: received" in refused.json()["detail"]
    for moment in (later, later.replace(tzinfo=None)):
        body = {"conf": conf, "run_after": moment.isoformat()}
        assert client.post(RUNS, json=body).status_code == 200


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(("executor", "status"), [("LocalExecutor", 400), ("CeleryExecutor", 200)])
def test_a_missing_file_is_refused_where_the_tasks_run_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, executor: str, status: int
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    conf = {"source": "csv", "csv_path": "/nowhere.csv"}
    assert create_client().post(RUNS, json={"conf": conf}).status_code == status
