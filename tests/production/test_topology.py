"""The topology of docker-compose.yaml, run natively: queues, logins, kills, secrets.

The tests follow each other in the order of this file: what the runs of the first leave behind is
what the later ones look at.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine, create_engine, func, select

from airflow_browser import PATIENCE, log_in, open_forecasts
from airflow_runs import RunState, read_run
from browser import chromium, keep_screenshot
from live_stack import SMALL
from manifests import read_manifest
from production.conftest import CONTROL, SECOND_CPU_WORKER, start_gpu_worker
from production.native import NativeCompose
from roi_forecast.database.engine import create_database_engine
from roi_forecast.database.tables import (
    daily_prices,
    model_versions,
    predictions,
    promotions,
    runs,
)
from roi_forecast.errors import RegistryError
from roi_forecast.registry.versions import find_champion
from roi_local.commands.run import DAILY_DAG
from roi_local.postgres.programs import program
from roi_production.environment_file import SECRETS

pytestmark = [pytest.mark.live, pytest.mark.slow]

SYMBOLS = ["TCS.NS", "GC=F"]
CONTEXT = ["AAPL", "MSFT", "JPM"]
LONG = {"epochs": 60, "early_stopping_patience": 60}
KILLS = {"one": "extract_prices", "two": "train_member", "three": "promote_model"}
"""Model names of three runs, and the stage of each that is killed."""

PASSWORD = "a-long-password-of-a-test"


@dataclass(frozen=True)
class Team:
    """The topology with its databases and the administrator's token."""

    compose: NativeCompose
    market: Engine
    metadata: Engine
    token: str

    def trigger(self, **conf: Any) -> str:
        status, answer = self.compose.request(
            "POST",
            f"/api/v2/dags/{DAILY_DAG}/dagRuns",
            {
                "logical_date": None,
                "conf": {**SMALL, "symbols": SYMBOLS, "context_symbols": CONTEXT, **conf},
            },
            self.token,
        )
        assert status == 200, answer
        return str(answer["dag_run_id"])

    def wait_for_end(self, run_ids: list[str]) -> list[RunState]:
        def ended() -> list[RunState] | None:
            found = [read_run(self.metadata, DAILY_DAG, run_id) for run_id in run_ids]
            return found if all(run.is_finished for run in found) else None

        return self.compose.wait_until(ended, 1500)

    def hosts(self, run_ids: list[str], task_id: str) -> set[str]:
        rows = self.compose_rows(
            "SELECT hostname FROM task_instance WHERE run_id = ANY(%s) AND task_id = %s",
            [run_ids, task_id],
        )
        return {row[0] for row in rows}

    def compose_rows(self, question: str, values: list[Any]) -> list[Any]:
        with self.compose.login("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") as connection:
            return connection.execute(question, values).fetchall()

    def log(self, run_id: str, task_id: str, attempt: int, map_index: int = -1) -> str:
        status, answer = self.compose.request(
            "GET",
            f"/api/v2/dags/{DAILY_DAG}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
            f"?map_index={map_index}&full_content=true",
            token=self.token,
        )
        assert status == 200, answer
        return str(answer["content"])

    def running_process(self, run_id: str, task_id: str) -> int:
        """Return the process of a task once it runs."""
        question = (
            "SELECT pid FROM task_instance WHERE run_id = %s AND task_id = %s "
            "AND state = 'running' AND pid IS NOT NULL"
        )
        with self.compose.login("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") as connection:
            deadline = time.monotonic() + 900
            while True:
                row = connection.execute(question, [run_id, task_id]).fetchone()
                if row is not None:
                    return int(row[0])
                assert time.monotonic() < deadline
                time.sleep(0.02)


@pytest.fixture(scope="module")
def team(compose: NativeCompose) -> Iterator[Team]:
    control = compose.environment("init")
    market = create_database_engine(control["ROI_OWNER_DATABASE_URL"])
    metadata = create_engine(control["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    password = compose.variables["AIRFLOW_ADMINISTRATOR_PASSWORD"]
    yield Team(compose, market, metadata, compose.token("admin", password))
    market.dispose()
    metadata.dispose()


@pytest.fixture(scope="module")
def survived(team: Team) -> dict[str, str]:
    """Three runs, each struck by a kill -9 in another stage; their ids by model name."""
    chance = random.Random(20261124)
    run_ids = {"two": team.trigger(model_name="two", **LONG)}
    state = team.compose.data_directory / "models" / "two" / "candidates"
    run_ids |= {name: team.trigger(model_name=name) for name in ("one", "three")}

    # The third run may come to its stage while the second still waits for its worker.
    with ThreadPoolExecutor(1) as watcher:
        third = watcher.submit(
            kill_within, team, run_ids["three"], KILLS["three"], chance.uniform(0, 1)
        )
        kill_within(team, run_ids["one"], KILLS["one"], chance.uniform(0, 0.3))
        team.compose.wait_until(lambda: list(state.glob("*/training_state/state.npz")))
        time.sleep(chance.uniform(0, 0.5))
        assert not list(state.glob("*/training.json")), (
            "the training ended before the worker was killed"
        )
        team.compose.kill("worker-gpu")
        start_gpu_worker(team.compose)
        third.result()

    ended = team.wait_for_end(list(run_ids.values()))
    assert {run.state for run in ended} == {"success"}, ended
    return run_ids


def kill_within(team: Team, run_id: str, task_id: str, delay: float) -> None:
    process_id = team.running_process(run_id, task_id)
    time.sleep(delay)
    os.kill(process_id, signal.SIGKILL)


def counts(team: Team) -> dict[str, int]:
    tables = (daily_prices, model_versions, predictions, promotions)
    with team.market.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


def assert_tables_registry_and_champions_agree(team: Team) -> None:
    models = team.compose.data_directory / "models"
    with team.market.connect() as connection:
        assert connection.scalar(select(func.count()).where(runs.c.released_at.is_(None))) == 0
        for name in KILLS:
            champion = find_champion(connection, name)
            assert champion is not None
            directory = champion.directory(models)
            assert (models / name / "champion").resolve() == directory.resolve()
            assert read_manifest(directory, RegistryError)["version_id"] == champion.version_id
            forecasts = connection.scalars(
                select(predictions.c.symbol).where(predictions.c.version_id == champion.version_id)
            )
            assert set(forecasts) == set(SYMBOLS)
    assert not list(models.rglob("*.partial"))


def test_every_service_passes_its_own_health_check(compose: NativeCompose) -> None:
    assert {name for name in (*CONTROL, "worker-cpu") if compose.is_healthy(name)} == {
        *CONTROL,
        "worker-cpu",
    }


def test_runs_survive_a_kill_of_a_task_and_of_a_worker_in_the_middle_of_training(
    team: Team, survived: dict[str, str]
) -> None:
    for name, task_id in KILLS.items():
        (attempts,) = team.compose_rows(
            "SELECT max(try_number) FROM task_instance WHERE run_id = %s AND task_id = %s",
            [survived[name], task_id],
        )[0]
        assert attempts == 2, (name, task_id)
    resumed = team.log(survived["two"], "train_member", 2, map_index=0)
    assert re.search(r"resuming after epoch \d+ of 60", resumed)
    assert_tables_registry_and_champions_agree(team)


def test_training_ran_on_the_gpu_worker_and_extraction_spread_over_the_others(
    team: Team, survived: dict[str, str]
) -> None:
    run_ids = list(survived.values())
    assert team.hosts(run_ids, "train_member") == {"worker-gpu"}
    assert team.hosts(run_ids, "extract_prices") == {"worker-cpu", SECOND_CPU_WORKER}


def test_the_same_run_again_completes_and_adds_nothing(
    team: Team, survived: dict[str, str]
) -> None:
    before = counts(team)
    (again,) = team.wait_for_end([team.trigger(model_name="one")])
    assert again.state == "success"
    assert counts(team) == before
    assert_tables_registry_and_champions_agree(team)


def test_the_log_of_a_refused_run_gives_the_reason(team: Team) -> None:
    run_id = team.trigger(tuned_study="unheard")
    (run,) = team.wait_for_end([run_id])
    assert run.state == "failed"
    assert "tuned_study: received 'unheard'" in team.log(run_id, "resolve_run", 1)


def add_user(team: Team, role: str) -> None:
    """Add a user with a role unless there is one; `admin` exists from the start."""
    user = {"username": role.lower(), "first_name": role, "last_name": "of the test"}
    user |= {"email": f"{role.lower()}@example.org", "password": PASSWORD}
    status, answer = team.compose.request(
        "POST",
        "/auth/fab/v1/users",
        {**user, "roles": [{"name": role}]},
        team.token,
    )
    assert status in (200, 201, 409), answer


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("Viewer", {"read a DAG"}),
        ("User", {"read a DAG", "trigger a run"}),
        ("Op", {"read a DAG", "trigger a run", "read connections"}),
        ("Admin", {"read a DAG", "trigger a run", "read connections", "read users"}),
    ],
)
def test_each_role_has_only_the_rights_that_its_work_needs(
    team: Team, role: str, allowed: set[str]
) -> None:
    add_user(team, role)
    password = team.compose.variables["AIRFLOW_ADMINISTRATOR_PASSWORD"]
    token = team.compose.token(role.lower(), password if role == "Admin" else PASSWORD)
    # A wrong parameter: people who may trigger get an error, and no run starts.
    wrong = {"logical_date": None, "conf": {"epochs": 0}}
    asked = {
        "read a DAG": ("GET", f"/api/v2/dags/{DAILY_DAG}", None),
        "trigger a run": ("POST", f"/api/v2/dags/{DAILY_DAG}/dagRuns", wrong),
        "read connections": ("GET", "/api/v2/connections", None),
        "read users": ("GET", "/auth/fab/v1/users", None),
    }
    found = {
        name: team.compose.request(method, path, body, token)[0]
        for name, (method, path, body) in asked.items()
    }
    assert found == {
        name: (400 if name == "trigger a run" else 200) if name in allowed else 403
        for name in asked
    }


def test_viewer_logs_in_by_the_form_and_sees_the_forecasts(
    team: Team, survived: dict[str, str]
) -> None:
    add_user(team, "Viewer")
    with chromium() as browser:
        page = browser.new_page()
        log_in(page, team.compose.address, PASSWORD, "viewer")
        frame = open_forecasts(page, team.compose.address)
        frame.get_by_role("combobox", name="Model name").select_option("one")
        expect(frame.locator("#list li")).to_have_count(len(SYMBOLS), timeout=PATIENCE)
        keep_screenshot(page, "topology-forecasts", full_page=False)


def test_nobody_gets_in_without_a_login(team: Team) -> None:
    assert team.compose.request("GET", f"/api/v2/dags/{DAILY_DAG}")[0] == 401
    wrong = {"username": "admin", "password": PASSWORD}
    assert team.compose.request("POST", "/auth/token", wrong)[0] == 401


def test_guessing_passwords_means_waiting(team: Team) -> None:
    wrong = {"username": "admin", "password": PASSWORD}
    answers = [team.compose.request("POST", "/auth/token", wrong)[0]]
    while answers[-1] != 429:
        assert len(answers) < 40
        answers.append(team.compose.request("POST", "/auth/token", wrong)[0])
    assert set(answers) == {401, 429}


def test_too_large_a_request_is_refused(team: Team) -> None:
    # The response is sent before the body ends, so sending the rest may find the connection closed.
    address = urlsplit(team.compose.address)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.putrequest("POST", f"/api/v2/dags/{DAILY_DAG}/dagRuns")
    connection.putheader("Authorization", f"Bearer {team.token}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(2**20 + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_no_secret_is_in_a_log_or_in_a_database(team: Team, survived: dict[str, str]) -> None:
    """After runs that succeeded, were killed and were refused; XComs and templates are rows."""
    compose = team.compose
    dumps = []
    with compose.login("ROI_POSTGRES_ADMIN_URL") as connection:
        details = connection.info
        for database in ("airflow", "market"):
            answer = subprocess.run(
                [program("pg_dump"), "--data-only", database],
                env={
                    **os.environ,
                    "PGHOST": details.host,
                    "PGPORT": str(details.port),
                    "PGUSER": details.user,
                    "PGPASSWORD": details.password,
                },
                capture_output=True,
                check=True,
            )
            dumps.append(answer.stdout)
    assert any(survived["two"].encode() in dump for dump in dumps)
    places = {"databases": b"".join(dumps)}
    for path in [*compose.folder.glob("*.log"), *compose.logs_directory.rglob("*.log")]:
        places[str(path.relative_to(compose.folder))] = path.read_bytes()
    assert len([name for name in places if "task_id=" in name]) > 30
    for name in SECRETS:
        secret = compose.variables[name].encode()
        assert [place for place, content in places.items() if secret in content] == [], name
