"""Metrics of stages and runs, through whatever Airflow is set to send them by.

Airflow puts its prefix before the names (`airflow.` unless `[metrics] statsd_prefix` says
otherwise) and sends nothing where neither StatsD nor OpenTelemetry is switched on.
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
    """Send how long a stage takes and whether it ends in an error.

    A stage that is skipped or looks again later has neither failed nor taken its time.
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
        model_name: Of the run.
    """
    # Its packages are not for the parsing of a DAG file.
    from roi_forecast.monitoring.run_figures import read_figures

    for name, value in read_figures(engine, run_id).items():
        stats.gauge(figure_metric(name), value, tags={"model_name": model_name})
