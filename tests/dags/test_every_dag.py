from __future__ import annotations

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.notification import report_failure
from roi_airflow.refusals import KINDS, form_defaults
from roi_local.environment import REPOSITORY


def load(name: str) -> DAG:
    module = __import__(name)
    return getattr(module, name)()


@pytest.fixture(params=sorted(path.stem for path in (REPOSITORY / "dags").glob("*.py")))
def dag(request: pytest.FixtureRequest) -> DAG:
    return load(request.param)


def test_dag_and_tasks_are_documented_and_failures_are_reported(dag: DAG) -> None:
    assert dag.doc_md
    assert [task.task_id for task in dag.tasks if not task.doc_md] == []
    assert OWN_TAG in dag.tags
    assert dag.on_failure_callback is report_failure
    dag.params.validate()


def test_a_request_for_a_run_is_checked_by_the_form_of_its_dag(dag: DAG) -> None:
    assert dag.params.dump() == form_defaults(KINDS[dag.dag_id])


def test_rollback_is_started_by_hand_and_emits_the_champion() -> None:
    dag = load("roll_back_champion")
    assert dag.schedule is None
    assert [asset.name for asset in dag.get_task("roll_back").outlets] == ["roi_champion"]


def test_retention_follows_the_forecasts() -> None:
    (asset,) = load("prune_registry").timetable.asset_condition.objects
    assert asset.name == "roi_forecasts"


def test_retention_looks_for_runs_of_dags_that_exist() -> None:
    from prune_registry import UNCLAIMED_DAGS

    for dag_id in UNCLAIMED_DAGS:
        assert load(dag_id).dag_id == dag_id


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("prune_registry", "keep_versions", 1),
        ("prune_registry", "keep_candidates", -1),
        ("prune_registry", "keep_backtests", 0),
        ("roll_back_champion", "model_name", "../elsewhere"),
        ("roll_back_champion", "version_id", ""),
    ],
)
def test_form_refuses_values_that_would_lose_files_or_find_no_version(
    name: str, parameter: str, value: object
) -> None:
    with pytest.raises(ParamValidationError):
        load(name).params.get_param(parameter).resolve(value)
