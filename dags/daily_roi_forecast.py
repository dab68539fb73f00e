"""The daily workflow, from prices to forecasts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.backfill_order import wait_for_earlier_dates
from roi_airflow.deadline import forecast_deadline
from roi_airflow.metrics import send_figures
from roi_airflow.notification import report_failure
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.dataset_tasks import dataset_of
from roi_airflow.tasks.forecast_tasks import forecast
from roi_airflow.tasks.promotion_tasks import settle_promotion
from roi_airflow.tasks.reasons import REASONS
from roi_airflow.tasks.stage import (
    begin_run,
    current_run_id,
    due_moment,
    given_parameters,
    is_run_active,
    open_stage,
)
from roi_airflow.trading_days import TradingDayTimetable
from roi_forecast.settings import TRAINING_POOL

logger = logging.getLogger(__name__)

DOCUMENTATION = """
Forecasts the return on investment of every asset of the run for the next session.

A run is due for each session of the exchange of most assets, once the last bar of the day is
final. It extracts prices, trains a candidate (one network, or an ensemble) and lets it replace the
serving champion only if every rule of the gate is kept; with `approval_hours` a person has the
last word, in the screen of required actions. A rejection is a successful run: the champion goes on
forecasting. Where its files are damaged the version before serves from then on, and the log and
`roi.champion_history` say so.

**To try it out,** trigger it with the preset `quick` and the source `simulated`.
**After a failure,** `roi.run_history` and the last line of the failed task's log say what to do;
then clear that task.
**To go back** to an older version, trigger `roll_back_champion`.

Query the result in the market database: `roi.latest_predictions`, `roi.prediction_outcomes`,
`roi.model_leaderboard`, `roi.champion_history`, and the reasons in `roi.gate_decisions`. How well
live forecasts did is in `roi.live_skill`. Where they are below a limit, `champion_below_limit` runs
and says what to do, and `roi.champion_alerts` has the figures.

Other DAGs can be scheduled on the assets `roi_prices`, `roi_dataset`, `roi_champion` and
`roi_forecasts`.
"""


@dag(
    dag_id="daily_roi_forecast",
    schedule=TradingDayTimetable(),
    catchup=False,
    # Runs of different model names may go on side by side; runs of one name wait for each other.
    max_active_runs=4,
    is_paused_upon_creation=False,
    params=run_parameters(),
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        **REASONS,
    },
    on_failure_callback=report_failure,
    deadline=forecast_deadline(),
    doc_md=DOCUMENTATION,
    tags=[OWN_TAG],
)
def daily_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=0)
    def resolve_run() -> list[list[str]]:
        """Check parameters and preconditions; return the symbols to extract, in batches."""
        from roi_forecast.market.extraction import extraction_batches
        from roi_forecast.planning.resolve import resolve_run as resolve

        with begin_run() as installation:
            wait_for_earlier_dates()
            run = resolve(
                installation.engine,
                installation.settings,
                current_run_id(),
                given_parameters(),
                is_run_active,
                now=due_moment(),
            )
        return extraction_batches(run.extraction_symbols)

    @task
    def plan_training(dataset_id: str) -> list[dict[str, Any]]:
        """Decide what the candidate starts from; return one entry for each network to train."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.registry.training_plan import plan_training as plan
        from roi_forecast.serving.fallback import replace_damaged_champion

        with open_stage() as stage:
            run, models = stage.run, stage.settings.models_directory
            if run.config.training_mode != "scratch":
                replace_damaged_champion(stage.engine, models, run.model_name, run.run_id)
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            settled = plan(stage.engine, run, dataset, models)
        return [
            {"number": number, "base_version_id": settled.base_version_id}
            for number in range(settled.members)
        ]

    @task(
        queue="gpu",
        pool=TRAINING_POOL,
        retries=2,
        execution_timeout=timedelta(hours=6),
        map_index_template="network {{ network_number }}",
        doc_md="Train one network, going on where a killed attempt stopped.",
    )
    def train_member(dataset_id: str, member: dict[str, Any]) -> None:
        """Train one network, going on where a killed attempt stopped."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.registry.candidates import train_member as train

        get_current_context()["network_number"] = member["number"] + 1  # type: ignore[typeddict-unknown-key]
        with open_stage() as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            train(
                stage.engine,
                stage.run,
                dataset,
                stage.settings.models_directory,
                member["number"],
                member["base_version_id"],
            )

    @task
    def combine_members(dataset_id: str, members: list[dict[str, Any]]) -> str:
        """Register the trained networks as one candidate; return its version id."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.registry.candidates import combine_members as combine

        with open_stage() as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            candidate = combine(
                stage.engine,
                stage.run,
                dataset,
                stage.settings.models_directory,
                members[0]["base_version_id"],
                now=datetime.now(UTC),
            )
        return candidate.version_id

    @task
    def evaluate_model(dataset_id: str, version_id: str) -> str | None:
        """Score the candidate, its baselines and the champion; return whom it was compared with."""
        from roi_forecast.evaluation.evaluate import evaluate_model as evaluate
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.serving.fallback import replace_damaged_champion

        with open_stage() as stage:
            run, models = stage.run, stage.settings.models_directory
            replace_damaged_champion(stage.engine, models, run.model_name, run.run_id)
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            return evaluate(stage.engine, run, dataset, version_id, models)

    @task.branch
    def monitor_champion() -> str | None:
        """Score what served, hold it against its limits, and look for drift."""
        from roi_forecast.monitoring.monitor import monitor_champion as monitor

        with open_stage(last=True) as stage:
            monitoring = monitor(stage.engine, stage.run)
            send_figures(stage.engine, stage.run.run_id, stage.run.model_name)
        return "champion_below_limit" if monitoring.alerts else None

    @task
    def champion_below_limit() -> None:
        """Runs only where the champion's live forecasts are below a limit; says what to do."""
        from roi_forecast.monitoring.monitor import report_alerts

        with open_stage(last=True) as stage:
            report_alerts(stage.engine, stage.run.run_id)

    dataset_id = dataset_of(resolve_run())
    members = plan_training(dataset_id)
    version_id = combine_members(dataset_id, members)
    train_member.partial(dataset_id=dataset_id).expand(member=members) >> version_id
    opponent = evaluate_model(dataset_id, version_id)
    forecasts = forecast(dataset_id, version_id)
    settle_promotion(dataset_id, version_id, opponent) >> forecasts
    forecasts >> monitor_champion() >> champion_below_limit()


daily_roi_forecast()
