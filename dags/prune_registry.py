"""Deletes the files that are no longer needed."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag, task

from roi_airflow.assets import FORECASTS
from roi_airflow.dag_arguments import DAG_ARGUMENTS
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.stage import activity_of, given_parameters, open_installation
from roi_forecast.config import RetentionConfig, parse_config

UNCLAIMED_DAGS = ("backtest_roi_forecast", "tune_roi_forecast")
"""Their runs claim no model name, so only Airflow knows which of them are active."""

DOCUMENTATION = """
Keeps the newest versions and candidates of each model name. It deletes the files of older ones, the
datasets that only they were trained on, the networks of older backtests, and the half-written files
that killed processes left more than a day ago. It follows every run that stored forecasts.

It never deletes the champion, the version that served before it, or anything that an active run
needs. Rows stay: the scores and forecasts of a version remain, and `files_deleted_at` in
`roi.model_versions` shows that a rollback to it is no longer possible.
"""


@dag(
    **DAG_ARGUMENTS,
    schedule=[FORECASTS],
    max_active_runs=1,
    params=run_parameters(RetentionConfig),
    doc_md=DOCUMENTATION,
)
def prune_registry() -> None:
    """Wire the one task."""

    @task(retries=0)
    def prune() -> None:
        """Delete the files of old versions, candidates and datasets."""
        from roi_forecast.serving import retention

        with open_installation() as installation:
            config = parse_config(RetentionConfig, given_parameters())
            retention.prune_registry(
                installation.engine,
                installation.settings,
                keep_versions=config.keep_versions,
                keep_candidates=config.keep_candidates,
                keep_backtests=config.keep_backtests,
                is_active=activity_of(*UNCLAIMED_DAGS),
                now=datetime.now(UTC),
            )

    prune()


prune_registry()
