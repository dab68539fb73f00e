"""What tasks that train ask of the executor; on Kubernetes, a pod of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from roi_forecast.errors import PreflightError
from roi_forecast.quoting import quoted
from roi_forecast.settings import TRAINING_POOL

TRAINING_POD_VARIABLE = "ROI_TRAINING_POD"


def training_arguments(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the arguments that tasks share which train.

    Workers of Celery with a GPU serve the queue. On Kubernetes the installation names a Pod, which
    is merged into that of the other tasks (`kubernetes/values-gpu.yaml`).

    Raises:
        PreflightError: The variable holds no Pod as JSON.
    """
    return {
        "queue": "gpu",
        "pool": TRAINING_POOL,
        "retries": 2,
        "executor_config": _executor_config(environment.get(TRAINING_POD_VARIABLE)),
    }


def _executor_config(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    try:
        pod = PodGenerator.deserialize_model_dict(json.loads(text))
        names = [container.name for container in pod.spec.containers]
    except (ValueError, TypeError, AttributeError) as error:
        raise PreflightError(
            f"the environment variable {TRAINING_POD_VARIABLE} is {quoted(text)}; expected a Pod "
            f"of Kubernetes as JSON, with spec.containers ({error})"
        ) from error
    if names[:1] != ["base"]:
        raise PreflightError(
            f"the environment variable {TRAINING_POD_VARIABLE} has the containers "
            f"{quoted(names)}; the first one must be 'base', the container of the task"
        )
    return {"pod_override": pod}
