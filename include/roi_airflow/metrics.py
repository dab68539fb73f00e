"""Metrics of stages and runs, sent as Airflow is configured to.

Airflow puts its prefix before the names (`airflow.`, or `[metrics] statsd_prefix`), and sends
nothing unless StatsD or OpenTelemetry is switched on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException
from airflow.sdk.observability import stats
from sqlalchemy import Engine


def stage_metrics(task_id: str) -> tuple[str, str]:
    """Return the names of a stage's timing, in milliseconds, and of its count of errors."""
    return f"roi.stage.{task_id}.duration", f"roi.stage.{task_id}.errors"


def figure_metric(name: str) -> str:
    """Return the name of the gauge of a run's figure."""
    return f"roi.run.{name}"


@contextmanager
def measured(task_id: str) -> Iterator[None]:
    """Send the duration of a stage, or count its error.

    A stage that is skipped or tries again later sends neither.
    """
    duration, errors = stage_metrics(task_id)
    began = time.perf_counter()
    try:
        yield
    except (AirflowRescheduleException, AirflowSkipException):
        raise
    except Exception:
        stats.incr(errors)
        raise
    stats.timing(duration, 1000 * (time.perf_counter() - began))


def send_figures(engine: Engine, run_id: str, model_name: str) -> None:
    """Send the figures of a run, with its model name as a tag.

    Args:
        engine: Market database.
        run_id: The run, after its last stage.
        model_name: Model name of the run.
    """
    # Parsing a DAG file must not load its packages.
    from roi_forecast.monitoring.run_figures import read_figures

    for name, value in read_figures(engine, run_id).items():
        stats.gauge(figure_metric(name), value, tags={"model_name": model_name})
