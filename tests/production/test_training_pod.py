from __future__ import annotations

import json

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from roi_forecast.errors import PreflightError
from roi_forecast.settings import TRAINING_POOL
from roi_production.training_pod import TRAINING_POD_VARIABLE, training_arguments

POD = {
    "spec": {
        "containers": [
            {"name": "base", "image": "of-gpus", "resources": {"limits": {"nvidia.com/gpu": 1}}}
        ]
    }
}
TRAINING = {
    "daily_roi_forecast": "train_member",
    "tune_roi_forecast": "run_trial",
    "backtest_roi_forecast": "walk_forward",
}


@pytest.mark.parametrize("name", TRAINING)
def test_a_pod_of_the_installation_is_asked_for_by_tasks_that_train(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRAINING_POD_VARIABLE, json.dumps(POD))
    configured = {
        task.task_id: getattr(task, "partial_kwargs", vars(task)).get("executor_config")
        for task in getattr(__import__(name), name)().tasks
    }
    assert {task_id for task_id, config in configured.items() if config} == {TRAINING[name]}
    # The scheduler starts the pod as it reads it from Airflow's database.
    written = json.dumps(BaseSerialization.serialize(configured[TRAINING[name]]))
    (container,) = BaseSerialization.deserialize(json.loads(written))[
        "pod_override"
    ].spec.containers
    assert container.image == "of-gpus"
    assert container.resources.limits == {"nvidia.com/gpu": "1"}


def test_without_a_pod_only_queue_pool_and_retries_are_set() -> None:
    assert training_arguments({}) == {
        "queue": "gpu",
        "pool": TRAINING_POOL,
        "retries": 2,
        "executor_config": {},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected a Pod of Kubernetes as JSON"),
        ("[]", "expected a Pod of Kubernetes as JSON"),
        ('"gpu"', "expected a Pod of Kubernetes as JSON"),
        ("{}", "with spec.containers"),
        ('{"spec": {}}', "with spec.containers"),
        ('{"spec": {"containers": [{"name": "gpu"}]}}', r"\['gpu'\].*must be 'base'"),
        ('{"spec": {"containers": []}}', "must be 'base'"),
    ],
)
def test_what_is_no_pod_is_refused_by_name_and_value(text: str, said: str) -> None:
    with pytest.raises(PreflightError, match=said) as refused:
        training_arguments({TRAINING_POD_VARIABLE: text})
    assert TRAINING_POD_VARIABLE in str(refused.value)
