"""What only a living Airflow can show: backfill, approval, rollback, assets, alerts, links."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import ColumnElement, column, insert, select, table

from documentation import commands, snippet
from installation import run_command
from live_stack import SMALL, SharedStack, task_states
from monitoring.live_forecasts import end_data_before
from roi_forecast.database.tables import (
    daily_prices,
    datasets,
    extractions,
    gate_decisions,
    model_versions,
    predictions,
    promotions,
    runs,
)
from roi_forecast.reading.forecasts import LatestForecast

pytestmark = [pytest.mark.live, pytest.mark.slow]

DAILY = "daily_roi_forecast"
PROMOTED = {"gate_override_reason": "a live test promotes whatever was trained"}
APPROVED = {**PROMOTED, "approval_hours": 12, "min_sessions_between_promotions": 0}

PATIENCE = 600.0
"""Seconds that a run may take on a loaded machine."""

MEMBERS = 2

# 2024-12-25 is no session in Mumbai.
BACKFILLED = [date(2024, 12, 23), date(2024, 12, 24), date(2024, 12, 26)]
KNOWN = [date(2024, 12, 20)]
"""A session inside the data of the champion under whose name it is backfilled."""


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def rows(stack: SharedStack, *columns: Any, where: ColumnElement[bool]) -> list[tuple[Any, ...]]:
    with stack.market.connect() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).where(where))]


def logged(stack: SharedStack, folder: str, words: str) -> list[str]:
    """Lines of Airflow's logs that hold some words."""
    found = Path(stack.home.task_logs_directory, folder).rglob("*")
    logs = [path for path in found if path.is_file()]
    lines = (line for path in logs for line in path.read_text(errors="replace").splitlines())
    return [line for line in lines if words in line]


@pytest.fixture(scope="module")
def plain(shared_stack: SharedStack) -> str:
    return shared_stack.trigger(
        DAILY, **SMALL, **PROMOTED, model_name="followed", ensemble_size=MEMBERS
    )


@pytest.fixture(scope="module")
def asked(shared_stack: SharedStack) -> str:
    return shared_stack.trigger(DAILY, **SMALL, **APPROVED, model_name="approved")


@pytest.fixture(scope="module")
def plain_run(shared_stack: SharedStack, plain: str) -> str:
    run = shared_stack.wait_for_end(DAILY, plain, PATIENCE)
    assert run.state == "success", run
    return plain


@pytest.fixture(scope="module")
def backfill(shared_stack: SharedStack, plain_run: str) -> list[str]:
    """Backfill sessions under a name of their own; later prices are stored already."""
    (documented,) = commands("backfill")
    return start_backfill(shared_stack, "backfilled", BACKFILLED, documented.text)


@pytest.fixture(scope="module")
def known_day(shared_stack: SharedStack, plain_run: str) -> str:
    """Backfill a session under the name of a champion whose data reach beyond it."""
    (run_id,) = start_backfill(shared_stack, "followed", KNOWN)
    return run_id


def start_backfill(
    stack: SharedStack, model_name: str, days: list[date], documented: str | None = None
) -> list[str]:
    """Have Airflow run some sessions, all at the same time if it likes; return the runs.

    Args:
        stack: The live stack.
        model_name: Of the runs.
        days: The sessions.
        documented: A command of a page that does it; None asks by REST.
    """
    conf = {key: value for key, value in SMALL.items() if key != "as_of_date"}
    conf |= {**PROMOTED, "model_name": model_name}
    body = {
        "dag_id": DAILY,
        "from_date": f"{days[0]}T00:00:00Z",
        "to_date": f"{days[-1]}T00:00:00Z",
        "dag_run_conf": conf,
        "max_active_runs": len(days),
    }

    def is_accepted() -> bool:
        status, answer = stack.request("POST", "/api/v2/backfills", body)
        # Airflow takes one backfill of a DAG at a time, and notices the end of one a while later.
        assert status in (200, 409), answer
        return status == 200

    if documented is None:
        wait_until(is_accepted)
    else:
        (arguments,) = re.fullmatch(r"make airflow ARGS='(.*)'", documented).groups()
        assert (f"{days[0]}", f"{days[-1]}") == tuple(re.findall(r"\d{4}-\d\d-\d\d", arguments))
        more = f"--max-active-runs {len(days)} --dag-run-conf {shlex.quote(json.dumps(conf))}"
        answer = run_command(stack.home, "airflow", ROI_ARGS=f"{arguments} {more}")
        assert answer.returncode == 0, answer.stdout + answer.stderr

    def run_ids() -> list[str]:
        path = f"/api/v2/dags/{DAILY}/dagRuns?run_type=backfill&order_by=logical_date"
        found = stack.request("GET", path)[1]["dag_runs"]
        wanted = {str(day) for day in days}
        return [run["dag_run_id"] for run in found if run["logical_date"][:10] in wanted]

    return wait_until(run_ids)


# The runs of later tests go on while this one looks at its own.
@pytest.mark.usefixtures("plain", "asked")
def test_failed_run_is_told_of_once_with_the_reason_that_decided(
    shared_stack: SharedStack,
) -> None:
    run_id = shared_stack.trigger("late_or_failing", fail=True)
    run = shared_stack.wait_for_end("late_or_failing", run_id)
    assert task_states(run) == {"tolerated": {"failed"}, "work": {"failed"}}
    told = wait_until(lambda: logged(shared_stack, "dag_processor", "work failed: the quorum"))
    assert len(told) == 1
    assert "work failed: the quorum was missed: name other assets; log: http://" in told[0]
    assert f"/dags/late_or_failing/runs/{quote(run_id)}" in told[0]


def test_late_forecasts_are_told_of(shared_stack: SharedStack) -> None:
    run_id = shared_stack.trigger("late_or_failing", fail=False)
    told = wait_until(lambda: logged(shared_stack, "executor_callbacks", run_id))
    assert any("the forecasts are late, none were stored by" in line for line in told)


# As above: the backfill of a later test goes on meanwhile.
@pytest.mark.usefixtures("backfill")
def test_events_of_the_assets_carry_version_and_row_counts(
    shared_stack: SharedStack, plain_run: str
) -> None:
    status, answer = shared_stack.request(
        "GET", f"/api/v2/assets/events?source_dag_id={DAILY}&source_run_id={quote(plain_run)}"
    )
    assert status == 200
    extras = {event["name"]: event["extra"] for event in answer["asset_events"]}
    ((version_id, dataset_id),) = rows(
        shared_stack,
        model_versions.c.version_id,
        model_versions.c.dataset_id,
        where=model_versions.c.run_id == plain_run,
    )
    assert extras["roi_prices"]["usable_assets"] == 2
    changed = rows(shared_stack, extractions.c.rows, where=extractions.c.run_id == plain_run)
    assert extras["roi_prices"]["changed_rows"] == sum(count for (count,) in changed)
    assert extras["roi_dataset"]["dataset_id"] == dataset_id
    assert extras["roi_dataset"]["rows"] > 300
    assert extras["roi_champion"]["version_id"] == version_id
    assert extras["roi_forecasts"]["version_id"] == version_id
    stored = rows(shared_stack, predictions.c.symbol, where=predictions.c.run_id == plain_run)
    assert extras["roi_forecasts"]["new_rows"] == len(stored) > 0


def test_an_ensemble_s_networks_train_as_mapped_tasks_and_serve_as_one_version(
    shared_stack: SharedStack, plain_run: str
) -> None:
    path = f"/api/v2/dags/{DAILY}/dagRuns/{quote(plain_run)}/taskInstances?task_id=train_member"
    status, answer = shared_stack.request("GET", path)
    assert status == 200
    trained = {task["map_index"]: task["state"] for task in answer["task_instances"]}
    assert trained == dict.fromkeys(range(MEMBERS), "success")
    versions = rows(
        shared_stack, model_versions.c.version_id, where=model_versions.c.run_id == plain_run
    )
    assert len(versions) == 1
    newest = LatestForecast.view.c
    is_next = (newest.model_name == "followed") & (newest.horizon == 1)
    spread = rows(shared_stack, newest.member_spread_pct, where=is_next)
    assert len(spread) == 2
    assert all(percent is not None and percent >= 0 for (percent,) in spread)


def test_dags_scheduled_on_the_forecasts_follow_and_know_the_event(
    shared_stack: SharedStack, plain_run: str
) -> None:
    # The example of docs/airflow.md.
    wait_until(lambda: logged(shared_stack, "dag_id=report", "followed 2024-12-27"))
    wait_until(lambda: logged(shared_stack, "dag_id=prune_registry", "deleted the files of"))


@pytest.mark.skipif(which("jq") is None, reason="there is no jq on this machine")
def test_requests_of_the_page_are_answered_as_it_shows(
    shared_stack: SharedStack, plain_run: str, tmp_path: Path
) -> None:
    lines = "\n".join(command.text for command in commands("requests"))
    lines = lines.replace("http://127.0.0.1:8080", shared_stack.address)
    lines = lines.replace("…", shared_stack.password).replace("=reference", "=followed")
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=tmp_path,
        env={**os.environ, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
    )
    (written,) = tmp_path.iterdir()
    assert {"model_name", "predicted_roi_pct"} <= {*written.read_text().splitlines()[0].split(",")}
    received = json.loads(answer.stdout)
    shown = json.loads(snippet("json", "docs/pages.md"))
    assert received.keys() == shown.keys()
    assert {item["symbol"] for item in received["items"]} == {"GC=F"}
    (item,) = (item for item in received["items"] if item["horizon"] == 1)
    assert {*shown["items"][0]} - {"…"} <= {*item}
    assert item["target_date"] == "2024-12-30"


def test_every_task_links_to_the_page_of_its_run_and_tasks_of_others_do_not(
    shared_stack: SharedStack, plain_run: str
) -> None:
    def links(dag_id: str, run_id: str, task_id: str) -> Any:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/links"
        status, answer = shared_stack.request("GET", path)
        assert status == 200
        return answer["extra_links"]["ROI forecasts"]

    runs = f"{shared_stack.address}/plugin/roi-forecasts/roi/runs"
    page = f"{runs}/{plain_run}?dag_id={DAILY}"
    assert "+00:00" in plain_run
    assert links(DAILY, plain_run, "forecast") == page
    assert links(DAILY, plain_run, "resolve_run") == page
    run_id = shared_stack.trigger("late_or_failing", fail=True)
    shared_stack.wait_for_end("late_or_failing", run_id)
    assert links("late_or_failing", run_id, "work") is None


def test_schedule_is_stored_with_a_readable_summary(shared_stack: SharedStack) -> None:
    status, answer = shared_stack.request("GET", f"/api/v2/dags/{DAILY}/details")
    assert status == 200
    assert answer["timetable_summary"] == "XBOM sessions, from 17:15 America/New_York"
    assert shared_stack.request("GET", "/api/v2/importErrors")[1]["total_entries"] == 0
    assert shared_stack.request("GET", "/api/v2/plugins/importErrors")[1]["total_entries"] == 0


def answer_approval(stack: SharedStack, run_id: str, option: str) -> str:
    """Answer as the administrator; return what was shown."""
    stack.wait_for_state(DAILY, run_id, "approve_promotion", "awaiting_input", PATIENCE)
    path = f"/api/v2/dags/{DAILY}/dagRuns/{quote(run_id)}/taskInstances/approve_promotion/-1"
    status, shown = stack.request("GET", f"{path}/hitlDetails")
    assert status == 200
    body = {"chosen_options": [option], "params_input": {}}
    assert stack.request("PATCH", f"{path}/hitlDetails", body)[0] == 200
    return f"{shown['subject']}\n{shown['body']}"


@pytest.fixture(scope="module")
def approved_run(shared_stack: SharedStack, asked: str) -> str:
    shown = answer_approval(shared_stack, asked, "Approve")
    assert "become champion of approved?" in shown
    assert "Trained on simulated prices." in shown
    assert "| no-skill forecast |" in shown
    assert f"({shared_stack.address}/roi/versions/" in shown
    assert "| next-day R2 against zero |" in shown
    return asked


def test_approval_promotes_in_the_name_of_who_gave_it(
    shared_stack: SharedStack, approved_run: str
) -> None:
    run = shared_stack.wait_for_end(DAILY, approved_run, PATIENCE)
    states = task_states(run)
    assert run.state == "success"
    assert states["promote_model"] == states["forecast"] == {"success"}
    assert states["reject_model"] == {"skipped"}
    # Nobody served yet, so there was nothing to forecast with meanwhile.
    assert states["forecast_meanwhile"] == {"skipped"}
    ((person, reason),) = rows(
        shared_stack,
        promotions.c.promoted_by,
        promotions.c.reason,
        where=promotions.c.model_name == "approved",
    )
    assert person == f"admin in run {approved_run}"
    assert reason.endswith("; approval: approved by admin")


@pytest.fixture(scope="module")
def unanswered_run(shared_stack: SharedStack, approved_run: str) -> str:
    shared_stack.wait_for_end(DAILY, approved_run, PATIENCE)
    conf = {**SMALL, **APPROVED, "model_name": "approved", "seed": 1}
    return shared_stack.trigger(DAILY, **{**conf, "approval_hours": 0.001})


def test_no_answer_is_a_rejection_and_the_champion_forecasts_meanwhile(
    shared_stack: SharedStack, unanswered_run: str
) -> None:
    run = shared_stack.wait_for_end(DAILY, unanswered_run, PATIENCE)
    states = task_states(run)
    assert run.state == "success"
    assert states["promote_model"] == {"skipped"}
    assert states["reject_model"] == states["forecast_meanwhile"] == {"success"}
    assert rows(
        shared_stack, model_versions.c.state, where=model_versions.c.run_id == unanswered_run
    ) == [("rejected",)]
    decided = dict(
        rows(
            shared_stack,
            gate_decisions.c.rule,
            gate_decisions.c.passed,
            where=gate_decisions.c.run_id == unanswered_run,
        )
    )
    assert (decided["approval"], decided["verdict"]) == (False, False)
    ((reason,),) = rows(
        shared_stack,
        gate_decisions.c.reason,
        where=(gate_decisions.c.run_id == unanswered_run) & (gate_decisions.c.rule == "approval"),
    )
    assert reason == "nobody answered within 0.001 h"


def test_backfill_gives_each_session_a_run_that_knows_nothing_later(
    shared_stack: SharedStack, backfill: list[str]
) -> None:
    assert len(backfill) == len(BACKFILLED)
    for run_id in backfill:
        assert shared_stack.wait_for_end(DAILY, run_id, PATIENCE).state == "success"
    as_of = rows(shared_stack, runs.c.as_of_date, where=runs.c.run_id.in_(backfill))
    assert sorted(as_of) == [(day,) for day in BACKFILLED]
    seen = rows(
        shared_stack,
        datasets.c.as_of_date,
        datasets.c.last_date,
        where=datasets.c.dataset_id.in_(
            select(model_versions.c.dataset_id).where(model_versions.c.run_id.in_(backfill))
        ),
    )
    assert sorted(seen) == [(day, day) for day in BACKFILLED]
    forecast = rows(
        shared_stack,
        predictions.c.as_of_date,
        predictions.c.target_date,
        predictions.c.backfill,
        where=predictions.c.run_id.in_(backfill) & (predictions.c.horizon == 1),
    )
    assert sorted(set(forecast)) == [
        (date(2024, 12, 23), date(2024, 12, 24), True),
        (date(2024, 12, 24), date(2024, 12, 26), True),
        (date(2024, 12, 26), date(2024, 12, 27), True),
    ]


def test_backfilled_dates_come_in_order_though_all_are_started_at_once(
    shared_stack: SharedStack, backfill: list[str]
) -> None:
    for run_id in backfill:
        assert shared_stack.wait_for_end(DAILY, run_id, PATIENCE).state == "success"
    spans = rows(
        shared_stack,
        runs.c.claimed_at,
        runs.c.released_at,
        runs.c.as_of_date,
        where=runs.c.run_id.in_(backfill),
    )
    assert [day for _, _, day in sorted(spans)] == BACKFILLED
    assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))
    # Airflow had started all of them before the first one ended.
    with shared_stack.metadata.connect() as connection:
        dag_run = table("dag_run", column("run_id"), column("start_date"))
        started = connection.scalars(
            select(dag_run.c.start_date).where(dag_run.c.run_id.in_(backfill))
        ).all()
    assert max(started) < min(released for _, released, _ in spans)


def test_backfill_of_a_day_that_the_champion_knows_forecasts_with_a_version_of_its_own(
    shared_stack: SharedStack, known_day: str
) -> None:
    assert shared_stack.wait_for_end(DAILY, known_day, PATIENCE).state == "success"
    with shared_stack.market.connect() as connection:
        forecast = connection.execute(
            select(
                predictions.c.as_of_date,
                predictions.c.backfill,
                model_versions.c.last_date,
                model_versions.c.run_id == predictions.c.run_id,
                model_versions.c.state,
            )
            .join_from(predictions, model_versions)
            .where(predictions.c.run_id == known_day)
            .distinct()
        ).all()
    assert [tuple(row) for row in forecast] == [(day, True, day, True, "rejected") for day in KNOWN]


def test_rollback_lets_the_version_before_serve_again(
    shared_stack: SharedStack, backfill: list[str]
) -> None:
    """Follows the backfill, whose first version serves; a second one replaces it here."""
    for run_id in backfill:
        shared_stack.wait_for_end(DAILY, run_id, PATIENCE)
    conf = {**SMALL, **PROMOTED, "model_name": "backfilled", "min_sessions_between_promotions": 0}
    promoted = shared_stack.trigger(DAILY, **conf, seed=1)
    assert shared_stack.wait_for_end(DAILY, promoted, PATIENCE).state == "success"
    asked = {"model_name": "backfilled", "reason": "a live test"}
    run_id = shared_stack.trigger("roll_back_champion", **asked)
    assert shared_stack.wait_for_end("roll_back_champion", run_id).state == "success"
    changes = rows(
        shared_stack,
        promotions.c.version_id,
        promotions.c.from_version_id,
        promotions.c.promoted_by,
        promotions.c.reason,
        where=promotions.c.model_name == "backfilled",
    )
    replaced, newest = changes[-2], changes[-1]
    assert newest[:2] == (replaced[1], replaced[0])
    assert newest[2:] == (f"admin in run {run_id}", "rollback: a live test")
    link = shared_stack.home.data_directory / "models" / "backfilled" / "champion"
    assert link.readlink() == Path("versions", newest[0])


def plant_misses(stack: SharedStack, run_id: str, sessions: int) -> str:
    """Store forecasts of a run's version, each made in time and far off; return the version."""
    ((version_id, dataset_id),) = rows(
        stack,
        model_versions.c.version_id,
        model_versions.c.dataset_id,
        where=model_versions.c.run_id == run_id,
    )
    bars = daily_prices.c
    first_symbol = (bars.source == "simulated") & (bars.symbol == SMALL["symbols"][0])
    up_to_as_of_date = bars.trading_date <= date.fromisoformat(SMALL["as_of_date"])
    days = sorted(rows(stack, bars.trading_date, where=first_symbol & up_to_as_of_date))
    common = {
        "version_id": version_id,
        "dataset_id": dataset_id,
        "run_id": "planted",
        "source": "simulated",
        "horizon": 1,
        "predicted_roi_pct": 50.0,
        "predicted_smoothed_roi_pct": 0.0,
        "lower_80_pct": 49.0,
        "lower_95_pct": 49.0,
        "upper_80_pct": 51.0,
        "upper_95_pct": 51.0,
        "backfill": False,
    }
    values = [
        {
            **common,
            "symbol": symbol,
            "as_of_date": as_of,
            "target_date": target,
            "created_at": datetime(as_of.year, as_of.month, as_of.day, 20, tzinfo=UTC),
        }
        for (as_of,), (target,) in pairwise(days[-sessions - 1 :])
        for symbol in SMALL["symbols"]
    ]
    with stack.market.begin() as connection:
        end_data_before(connection, values)
        connection.execute(insert(predictions), values)
    return version_id


def test_a_champion_below_its_limit_runs_the_task_that_says_so(
    shared_stack: SharedStack, plain_run: str
) -> None:
    """Comes after the tests of that run, whose last stage it runs once more."""
    assert task_states(shared_stack.read_run(DAILY, plain_run))["champion_below_limit"] == {
        "skipped"
    }
    version_id = plant_misses(shared_stack, plain_run, sessions=40)
    status, _ = shared_stack.request(
        "POST",
        f"/api/v2/dags/{DAILY}/clearTaskInstances",
        {
            "dag_run_id": plain_run,
            "task_ids": ["monitor_champion"],
            "include_downstream": True,
            "dry_run": False,
            "only_failed": False,
        },
    )
    assert status == 200
    run = shared_stack.wait_for_end(DAILY, plain_run, PATIENCE)
    assert (run.state, task_states(run)["champion_below_limit"]) == ("success", {"success"})
    folder = f"dag_id={DAILY}/run_id={plain_run}/task_id=champion_below_limit"
    (message,) = wait_until(lambda: logged(shared_stack, folder, "is below its limit"))
    assert f"champion {version_id} is below its limit (roi.champion_checks): see" in message


def test_a_rollback_of_an_unknown_name_is_refused_by_its_task(shared_stack: SharedStack) -> None:
    run_id = shared_stack.trigger("roll_back_champion", model_name="unknown")
    assert shared_stack.wait_for_end("roll_back_champion", run_id).state == "failed"
    assert logged(
        shared_stack, f"dag_id=roll_back_champion/run_id={run_id}", "model name 'unknown'"
    )
