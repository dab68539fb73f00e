"""Deleting the files that nothing needs any more."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag, task

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.assets import FORECASTS
from roi_airflow.notification import report_failure
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.reasons import REASONS
from roi_airflow.tasks.stage import activity_of, given_parameters, open_installation
from roi_forecast.config import RetentionConfig

UNCLAIMED_DAGS = ("backtest_roi_forecast", "tune_roi_forecast")
"""Their runs claim no model name, so only Airflow knows which of them are going."""

DOCUMENTATION = """
Keeps the newest versions and candidates of each model name, and deletes the files of the others and
of the datasets that only they were trained on, the networks of older backtests, and what killed
processes left half-written more than a day ago. It follows every run that stored forecasts.

The champion and the version that served before it are never deleted, nor what a run that is still
going needs. Rows stay: what a version scored and forecast stays known, and `files_deleted_at` in
`roi.model_versions` says that it cannot be rolled back to.
"""


@dag(
    dag_id="prune_registry",
    schedule=[FORECASTS],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params=run_parameters(RetentionConfig),
    default_args=REASONS,
    on_failure_callback=report_failure,
    doc_md=DOCUMENTATION,
    tags=[OWN_TAG],
)
def prune_registry() -> None:
    """Wire the one task."""

    @task
    def prune() -> None:
        """Delete the files of old versions, candidates and datasets."""
        from roi_forecast.config import parse_config
        from roi_forecast.serving.retention import prune_registry as prune_files

        with open_installation() as installation:
            config = parse_config(RetentionConfig, given_parameters())
            prune_files(
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
