from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import DAG

from roi_forecast.config import TuningRunConfig
from roi_forecast.settings import TRAINING_POOL

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dag() -> DAG:
    from tune_roi_forecast import tune_roi_forecast

    return tune_roi_forecast()


def test_trials_are_mapped_tasks_on_the_gpu_queue_in_the_training_pool(dag: DAG) -> None:
    trial = dag.get_task("run_trial")
    assert trial.is_mapped
    assert (trial.queue, trial.pool) == ("gpu", TRAINING_POOL)
    assert dag.get_task("open_search").downstream_task_ids == {"run_trial"}
    assert trial.downstream_task_ids == {"report_best"}


def test_the_form_has_every_parameter_of_a_search_and_none_of_the_gate(dag: DAG) -> None:
    assert set(dag.params) == set(TuningRunConfig.model_fields)
    assert not [name for name in dag.params if name.startswith("gate")]


def test_it_has_no_schedule(dag: DAG) -> None:
    assert dag.schedule is None


def test_parsing_the_file_loads_neither_tensorflow_nor_optuna() -> None:
    code = (
        "import sys, tune_roi_forecast; "
        "print([name for name in ('tensorflow', 'keras', 'optuna') if name in sys.modules])"
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
