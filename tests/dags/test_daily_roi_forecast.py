from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from roi_airflow.tasks.retries import ExponentialBackoff
from roi_airflow.tasks.stage import Installation, Stage
from roi_airflow.trading_days import TradingDayTimetable
from roi_forecast.config import RunConfig
from roi_forecast.errors import RunConflictError
from roi_forecast.serving import fallback, promotion
from roi_forecast.serving.promotion import promote_model
from roi_forecast.settings import POOLS
from serving_version import Served

DAGS = Path(__file__).parents[2] / "dags"

SLOW_IMPORTS = ("tensorflow", "keras", "yfinance", "exchange_calendars", "sklearn")


@pytest.fixture(scope="module")
def dag() -> DAG:
    from daily_roi_forecast import daily_roi_forecast

    return daily_roi_forecast()


def test_parsing_the_file_loads_nothing_slow() -> None:
    code = (
        "import sys, daily_roi_forecast; "
        f"print([name for name in {SLOW_IMPORTS} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(DAGS), "AIRFLOW_HOME": "/nonexistent"}
        | {"AIRFLOW__CORE__UNIT_TEST_MODE": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip().splitlines()[-1] == "[]"


def test_tasks_follow_the_data_flow(dag: DAG) -> None:
    downstream = {task_id: dag.get_task(task_id).downstream_task_ids for task_id in dag.task_ids}
    assert downstream["resolve_run"] == {"extract_prices"}
    assert downstream["extract_prices"] == {"check_prices"}
    assert downstream["check_prices"] == {"build_dataset"}
    assert "plan_training" in downstream["build_dataset"]
    assert downstream["plan_training"] == {"train_member", "combine_members"}
    assert downstream["train_member"] == {"combine_members"}
    assert "evaluate_model" in downstream["combine_members"]
    assert "decide_promotion" in downstream["evaluate_model"]
    assert downstream["decide_promotion"] == {
        "promote_model",
        "reject_model",
        "approve_promotion",
        "forecast_meanwhile",
    }
    assert downstream["approve_promotion"] == {"promote_model", "reject_model"}
    assert downstream["promote_model"] == downstream["reject_model"] == {"forecast"}
    assert downstream["forecast"] == {"monitor_champion"}
    assert downstream["monitor_champion"] == {"champion_below_limit"}
    assert downstream["champion_below_limit"] == set()


def test_training_runs_on_the_gpu_queue_in_its_own_pool(dag: DAG) -> None:
    assert dag.get_task("train_member").is_mapped
    assert dag.get_task("train_member").queue == "gpu"
    assert {task.pool for task in dag.tasks} - {"default_pool"} == set(POOLS)
    assert {task.task_id for task in dag.tasks if task.queue == "gpu"} == {"train_member"}


def test_extraction_is_mapped_labelled_and_retried_with_growing_pauses(dag: DAG) -> None:
    extract = dag.get_task("extract_prices")
    assert extract.is_mapped
    assert extract.partial_kwargs["map_index_template"] == "{{ symbol }}"
    assert extract.partial_kwargs["retries"] == 3
    assert isinstance(extract.partial_kwargs["retry_policy"], ExponentialBackoff)


def test_a_source_that_does_not_answer_at_first_is_tried_again_soon(dag: DAG) -> None:
    resolve = dag.get_task("resolve_run")
    assert resolve.retries == 2
    policy = resolve.retry_policy
    assert isinstance(policy, ExponentialBackoff)
    waits = sum((policy.longest_wait(number) for number in (1, 2)), timedelta())
    assert waits <= timedelta(minutes=1)


def test_every_run_parameter_is_a_typed_param_with_a_description(dag: DAG) -> None:
    assert set(dag.params) == set(RunConfig.model_fields)
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema["type"], name
        assert param.description, name


def test_defaults_of_the_form_are_valid(dag: DAG) -> None:
    dag.params.validate()


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("scaler", "robust"), ("symbols", "AAPL"), ("as_of_date", "tomorrow")],
)
def test_the_form_refuses_what_the_configuration_refuses(
    dag: DAG, name: str, value: object
) -> None:
    param = dag.params.get_param(name)
    with pytest.raises(ParamValidationError):
        param.resolve(value)


def test_schedule_is_that_of_the_trading_days(dag: DAG) -> None:
    assert isinstance(dag.timetable, TradingDayTimetable)
    assert (dag.start_date, dag.catchup) == (None, False)


def test_schedule_follows_when_the_installation_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROI_PUBLISH", "before_open")
    dag = runpy.run_path(str(DAGS / "daily_roi_forecast.py"))["daily_roi_forecast"]()
    assert dag.timetable.serialize()["publish"] == "before_open"
    assert dag.params["publish"] == "before_open"


def test_what_the_run_produces_are_assets_that_other_dags_can_wait_for(dag: DAG) -> None:
    outlets = {task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks}
    assert {task_id: names for task_id, names in outlets.items() if names} == {
        "check_prices": ["roi_prices"],
        "build_dataset": ["roi_dataset"],
        "promote_model": ["roi_champion"],
        "forecast": ["roi_forecasts"],
        "forecast_meanwhile": ["roi_forecasts"],
    }


def test_dag_and_every_task_are_documented(dag: DAG) -> None:
    assert dag.doc_md
    assert [task.task_id for task in dag.tasks if not task.doc_md] == []


@pytest.fixture
def damaged(served: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """A candidate, and a champion with a damaged file; gives the version before."""
    first = served.champion.version_id
    for module in (promotion, fallback):
        monkeypatch.setattr(module, "check_loads", lambda directory: None)
    promote_model(served.engine, served.models, served.add_candidate("next"), "next", "test")
    served.add_candidate("candidate")
    (served.champion_directory / "model.keras").write_bytes(b"half")
    return first


def carry_out(
    dag: DAG, served: Served, monkeypatch: pytest.MonkeyPatch, task_id: str, **arguments: object
) -> object:
    """Call what a task of the served run does, in Airflow's place."""
    import daily_roi_forecast

    @contextmanager
    def open_stage() -> Iterator[Stage]:
        yield Stage(served.engine, served.settings, served.outcome.run)

    monkeypatch.setattr(daily_roi_forecast, "open_stage", open_stage)
    function = dag.get_task(task_id).python_callable
    return function(dataset_id=served.outcome.dataset.dataset_id, **arguments)


def test_evaluation_reinstates_the_version_before_and_compares_with_it(
    dag: DAG, served: Served, damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opponent = carry_out(dag, served, monkeypatch, "evaluate_model", version_id="candidate")
    assert opponent == damaged == served.champion.version_id


@pytest.mark.parametrize(("mode", "falls_back"), [("if_due", True), ("scratch", False)])
def test_training_that_may_continue_from_the_champion_needs_an_intact_one(
    dag: DAG,
    served: Served,
    damaged: str,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    falls_back: bool,
) -> None:
    run = served.outcome.run
    config = run.config.model_copy(update={"training_mode": mode})
    outcome = replace(served.outcome, run=run.model_copy(update={"config": config}))
    carry_out(dag, replace(served, outcome=outcome), monkeypatch, "plan_training")
    assert served.champion.version_id == (damaged if falls_back else "next")


def test_a_backfill_run_waits_for_its_turn_before_it_claims_the_name(
    dag: DAG, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    import daily_roi_forecast

    @contextmanager
    def begin_run() -> Iterator[Installation]:
        yield Installation(served.engine, served.settings)

    def wait() -> None:
        raise RunConflictError("an earlier date is still going")

    def resolve_anyway(*_arguments: object) -> list[list[str]]:
        raise AssertionError("the run was resolved before its turn")

    monkeypatch.setattr(daily_roi_forecast, "begin_run", begin_run)
    monkeypatch.setattr(daily_roi_forecast, "wait_for_earlier_dates", wait)
    monkeypatch.setattr(daily_roi_forecast, "resolve_symbols", resolve_anyway)
    with pytest.raises(RunConflictError, match="an earlier date"):
        dag.get_task("resolve_run").python_callable()
