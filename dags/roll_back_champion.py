"""The rollback to a version that served before, triggered manually."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, get_current_context, task

from roi_airflow.assets import CHAMPION, describe_champion
from roi_airflow.dag_arguments import DAG_ARGUMENTS
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.stage import current_run_id, given_parameters, open_installation
from roi_forecast.config import RollbackConfig, parse_config

DOCUMENTATION = """
Makes a version that served before the champion of its model name again.

Trigger it with the model name; without a version it takes the one that served before the current
champion. The version is first loaded in a fresh process. The change adds a row to `roi.promotions`,
and the link `champion` follows. `roi.champion_history` lists the versions that served.

The next forecasts are those of that version. The next candidate is compared with it, and replaces
it if every rule of the gate passes; set `approval_hours` in the daily run to be asked first.
"""


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    max_active_runs=1,
    params=run_parameters(RollbackConfig),
    doc_md=DOCUMENTATION,
)
def roll_back_champion() -> None:
    """Wire the one task."""

    @task(retries=0, outlets=[CHAMPION])
    def roll_back() -> None:
        """Check the version in a fresh process and make it champion."""
        from roi_forecast.serving import rollback

        run: Any = get_current_context()["dag_run"]
        person = run.triggering_user_name or "somebody"
        with open_installation() as installation:
            config = parse_config(RollbackConfig, given_parameters())
            version = rollback.roll_back_champion(
                installation.engine,
                installation.settings.models_directory,
                config.model_name,
                config.version_id,
                rolled_back_by=f"{person} in run {run.run_id}",
                reason=f"rollback: {config.reason or 'no reason given'}",
            )
            describe_champion(version, current_run_id())

    roll_back()


roll_back_champion()
