"""Going back to a version that served before."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, get_current_context, task

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.assets import CHAMPION, describe_champion
from roi_airflow.notification import report_failure
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.reasons import REASONS
from roi_airflow.tasks.stage import current_run_id, given_parameters, open_installation
from roi_forecast.config import RollbackConfig

DOCUMENTATION = """
Lets a version that served before serve again, in place of the present champion of a model name.

Trigger it with the model name; without a version it takes the one that served before. The version
is loaded in a fresh process first, the change is one more row of `roi.promotions`, and the link
`champion` follows. Versions that served are listed in `roi.champion_history`.

The next forecasts come from that version. The next candidate is judged against it, and replaces it
if every rule of the gate is kept; set `approval_hours` in the daily run to be asked before.
"""


@dag(
    dag_id="roll_back_champion",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params=run_parameters(RollbackConfig),
    default_args=REASONS,
    on_failure_callback=report_failure,
    doc_md=DOCUMENTATION,
    tags=[OWN_TAG],
)
def roll_back_champion() -> None:
    """Wire the one task."""

    @task(outlets=[CHAMPION])
    def roll_back() -> None:
        """Check the version in a fresh process and let it serve."""
        from roi_forecast.config import parse_config
        from roi_forecast.serving.rollback import roll_back_champion as roll_back_to

        run: Any = get_current_context()["dag_run"]
        person = run.triggering_user_name or "somebody"
        with open_installation() as installation:
            config = parse_config(RollbackConfig, given_parameters())
            version = roll_back_to(
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
