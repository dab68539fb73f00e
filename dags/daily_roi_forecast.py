"""The daily workflow, from prices to forecasts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import TriggerRule, dag, get_current_context, task

from roi_airflow.dataset_tasks import dataset_of
from roi_airflow.parameters import run_parameters
from roi_airflow.stage import (
    current_run_id,
    due_moment,
    given_parameters,
    is_run_active,
    open_installation,
    open_stage,
)
from roi_airflow.trading_days import TradingDayTimetable
from roi_forecast.settings import TRAINING_POOL

logger = logging.getLogger(__name__)

DOCUMENTATION = """
Forecasts the return on investment of every asset of the run for the next session.

Each run extracts prices, trains a candidate (one network, or an ensemble) and lets it replace the
serving champion only if every rule of the gate is kept. A rejection is a successful run: the
champion goes on forecasting.

Query the result in the market database: `roi.latest_predictions`, `roi.prediction_outcomes`,
`roi.model_leaderboard`, `roi.champion_history`, and the reasons in `roi.gate_decisions`. How well
live forecasts did is in `roi.live_skill`. Where they are below a limit, `champion_below_limit` runs
and says what to do, and `roi.champion_alerts` has the figures.
"""


@dag(
    dag_id="daily_roi_forecast",
    schedule=TradingDayTimetable(),
    catchup=False,
    # Runs of different model names may go on side by side; runs of one name wait for each other.
    max_active_runs=4,
    is_paused_upon_creation=False,
    params=run_parameters(),
    default_args={"retries": 1, "retry_delay": timedelta(seconds=30)},
    doc_md=DOCUMENTATION,
    tags=["roi-forecast"],
)
def daily_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=0)
    def resolve_run() -> list[str]:
        """Check parameters and preconditions; return the symbols to extract."""
        from roi_forecast.runs.resolve import resolve_run as resolve

        with open_installation() as installation:
            run = resolve(
                installation.engine,
                installation.settings,
                current_run_id(),
                given_parameters(),
                is_run_active,
                now=due_moment(),
            )
        return list(run.extraction_symbols)

    @task
    def plan_training(dataset_id: str) -> list[dict[str, Any]]:
        """Decide what the candidate starts from; return one entry for each network to train."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.model.training_plan import plan_training as plan

        with open_stage() as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            settled = plan(stage.engine, stage.run, dataset, stage.settings.models_directory)
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
    )
    def train_member(dataset_id: str, member: dict[str, Any]) -> None:
        """Train one network, going on where a killed attempt stopped."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.model.candidates import train_member as train

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
        from roi_forecast.model.candidates import combine_members as combine

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

        with open_stage() as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            return evaluate(
                stage.engine, stage.run, dataset, version_id, stage.settings.models_directory
            )

    @task.branch
    def decide_promotion(version_id: str, opponent: str | None) -> str:
        """Judge the candidate by the gate's rules."""
        from roi_forecast.evaluation.decide import decide_promotion as decide

        with open_stage() as stage:
            verdict = decide(stage.engine, stage.run, version_id, opponent)
        return "promote_model" if verdict.promoted else "reject_model"

    @task
    def promote_model(version_id: str) -> None:
        """Publish the candidate and make it champion."""
        from roi_forecast.registry.promotion import promote_model as promote

        with open_stage() as stage:
            run_id = stage.run.run_id
            promote(
                stage.engine,
                stage.settings.models_directory,
                version_id,
                run_id,
                promoted_by=f"gate of run {run_id}",
            )

    @task
    def reject_model(version_id: str) -> None:
        """Mark the candidate as rejected; the champion goes on serving."""
        from roi_forecast.registry.promotion import reject_model as reject

        with open_stage() as stage:
            reject(stage.engine, version_id)

    @task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def forecast(dataset_id: str) -> None:
        """Forecast every asset with whichever version serves; end the run's claim on its name."""
        from roi_forecast.forecasts.next_session import store_forecasts
        from roi_forecast.runs.claims import release_run

        with open_stage() as stage:
            try:
                store_forecasts(
                    stage.engine,
                    stage.run,
                    dataset_id,
                    stage.settings.models_directory,
                    now=datetime.now(UTC),
                )
            finally:
                release_run(stage.engine, stage.run.run_id, now=datetime.now(UTC))

    @task.branch
    def monitor_champion() -> str | None:
        """Score what served, hold it against its limits, and look for drift."""
        from roi_forecast.monitoring.monitor import monitor_champion as monitor

        with open_stage() as stage:
            monitoring = monitor(stage.engine, stage.run)
        return "champion_below_limit" if monitoring.alerts else None

    @task
    def champion_below_limit() -> None:
        """Runs only where the champion's live forecasts are below a limit; says what to do."""
        from roi_forecast.monitoring.monitor import report_alerts

        with open_stage() as stage:
            report_alerts(stage.engine, stage.run.run_id)

    dataset_id = dataset_of(resolve_run())
    members = plan_training(dataset_id)
    version_id = combine_members(dataset_id, members)
    train_member.partial(dataset_id=dataset_id).expand(member=members) >> version_id
    opponent = evaluate_model(dataset_id, version_id)
    decision = decide_promotion(version_id, opponent)
    promoted, rejected = promote_model(version_id), reject_model(version_id)
    forecasts = forecast(dataset_id)
    decision >> [promoted, rejected] >> forecasts >> monitor_champion() >> champion_below_limit()


daily_roi_forecast()
