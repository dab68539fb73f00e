from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import DAG
from sqlalchemy import column, select, table

from installation import run_command
from live_stack import SMALL, SharedStack, task_states
from roi_forecast.config import BacktestRunConfig
from roi_forecast.database.tables import SCHEMA
from roi_forecast.settings import TRAINING_POOL
from roi_local.commands.backtest import BACKTEST_DAG, print_backtest
from roi_local.environment import Home
from roi_local.run_parameters import CONF_VARIABLE

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag() -> DAG:
    from backtest_roi_forecast import backtest_roi_forecast

    return backtest_roi_forecast()


def test_parsing_the_file_loads_nothing_slow() -> None:
    slow = ("tensorflow", "keras", "yfinance", "exchange_calendars", "sklearn", "matplotlib")
    code = (
        "import sys, backtest_roi_forecast; "
        f"print([name for name in {slow} if name in sys.modules])"
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


def test_it_has_no_schedule_and_walks_after_the_dataset_is_built(dag: DAG) -> None:
    assert dag.dag_id == BACKTEST_DAG
    assert dag.schedule is None
    downstream = {task_id: dag.get_task(task_id).downstream_task_ids for task_id in dag.task_ids}
    assert downstream == {
        "resolve_backtest": {"extract_prices"},
        "extract_prices": {"check_prices"},
        "check_prices": {"build_dataset"},
        "build_dataset": {"walk_forward"},
        "walk_forward": set(),
    }


def test_walking_runs_on_the_gpu_queue_in_the_training_pool(dag: DAG) -> None:
    walk = dag.get_task("walk_forward")
    assert (walk.queue, walk.pool) == ("gpu", TRAINING_POOL)


def test_the_form_has_the_parameters_of_a_backtest_and_no_gate(dag: DAG) -> None:
    assert set(dag.params) == set(BacktestRunConfig.model_fields)
    assert not [name for name in dag.params if name.startswith("gate_")]
    dag.params.validate()


def test_unknown_parameter_is_refused_before_anything_starts(tmp_path: Path) -> None:
    home = Home(tmp_path / "roi", DAGS)
    result = run_command(home, "backtest", **{CONF_VARIABLE: '{"refit_evry": 3}'})
    assert result.returncode == 1
    assert result.stderr == (
        "make backtest: run parameters refused: refit_evry: unknown parameter, received 3; did "
        "you mean refit_every?\n"
    )
    assert not home.directory.exists()


@pytest.mark.live
@pytest.mark.slow
def test_backtest_in_live_airflow_ends_with_folds_and_a_plot(shared_stack: SharedStack) -> None:
    conf = {**SMALL, "model_name": "walked", "max_network_folds": 1}
    run_id = shared_stack.trigger(BACKTEST_DAG, **conf)
    run = shared_stack.wait_for_end(BACKTEST_DAG, run_id)
    assert run.state == "success"
    assert task_states(run)["walk_forward"] == {"success"}
    names = ("run_id", "fold", "predictor", "smoothed_r2")
    view = table("backtest_folds", *(column(name) for name in names), schema=SCHEMA)
    with shared_stack.market.connect() as connection:
        rows = connection.execute(select(view).where(view.c.run_id == run_id)).all()
    predictors = {"model", "linear", "zero", "persistence", "no_skill"}
    assert {(row.fold, row.predictor) for row in rows} == {
        (fold, name) for fold in (0, None) for name in predictors
    }
    out = io.StringIO()
    backtests = shared_stack.home.data_directory / "backtests"
    plot, *_ = print_backtest(shared_stack.market, run_id, backtests, out)
    assert Path(plot.how).is_file()
    assert "smoothed R2" in out.getvalue()
    assert "no-skill forecast" in out.getvalue()
