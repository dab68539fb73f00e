"""The daily workflow, from prices to forecasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from airflow.sdk import dag, get_current_context, task

from roi_airflow.backfill_order import wait_for_earlier_dates
from roi_airflow.dag_arguments import DAG_ARGUMENTS
from roi_airflow.deadline import forecast_deadline
from roi_airflow.metrics import send_figures
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.dataset_tasks import dataset_of, resolve_symbols
from roi_airflow.tasks.forecast_tasks import forecast
from roi_airflow.tasks.promotion_tasks import settle_promotion
from roi_airflow.tasks.retries import ExponentialBackoff
from roi_airflow.tasks.stage import begin_run, is_run_active, open_stage, will_retry
from roi_airflow.trading_days import TradingDayTimetable
from roi_forecast.settings import usual_publish
from roi_production.training_pod import training_arguments

DOCUMENTATION = """
Forecasts the return on investment of every asset for the next session.

A run is scheduled for each session of the exchange of most assets, when the last bar of the day is
final or, with `ROI_PUBLISH=before_open`, an hour before the first exchange opens next. It extracts
prices, trains a candidate (one network or an ensemble) and replaces the champion with it only if
every rule of the gate passes; with `approval_hours` a person decides last, on the screen of
required actions. A rejection is a successful run: the champion continues to forecast. If the
champion's files are damaged, the version before it serves instead, and the log and
`roi.champion_history` show it.

If the source of prices does not answer, the run tries again and then takes its `fallback_source`,
if it has one, under a model name of its own.

**To try it out,** trigger it with the preset `quick` and the source `simulated`.
**After a failure,** `roi.run_history` and the last line of the failed task's log say what to do;
then clear that task.
**To return** to an older version, trigger `roll_back_champion`.

The results are in the market database: `roi.latest_forecasts`, `roi.latest_context` (what other
markets did and add to them), `roi.outcomes`, `roi.versions`,
`roi.champion_history`, and the reasons in `roi.gate_decisions`.
`roi.live_skill` shows how good live forecasts were. If they are below a limit,
`champion_below_limit` runs and says what to do, and `roi.champion_checks` has the figures.

Other DAGs can be scheduled on the assets `roi_prices`, `roi_dataset`, `roi_champion` and
`roi_forecasts`.
"""


@dag(
    **DAG_ARGUMENTS,
    schedule=TradingDayTimetable(publish=usual_publish()),
    # Runs of different model names are independent; runs with the same name wait for each other.
    max_active_runs=4,
    params=run_parameters(),
    deadline=forecast_deadline(),
    doc_md=DOCUMENTATION,
)
def daily_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=2, retry_policy=ExponentialBackoff(timedelta(seconds=20), timedelta(minutes=10)))
    def resolve_run() -> list[list[str]]:
        """Check parameters and preconditions; return the symbols to extract, in batches."""
        from roi_forecast.planning import resolve

        with begin_run() as installation:
            wait_for_earlier_dates()
            resolved = partial(resolve.resolve_run, will_retry=will_retry())
            return resolve_symbols(installation, resolved, is_run_active)

    @task
    def plan_training(dataset_id: str) -> list[dict[str, Any]]:
        """Decide where training starts; return one entry for each network to train."""
        from roi_forecast.registry.training_plan import plan_training as plan
        from roi_forecast.serving.fallback import replace_damaged_champion

        with open_stage() as stage:
            run, models = stage.run, stage.settings.models_directory
            if run.config.training_mode != "scratch":
                replace_damaged_champion(stage.engine, models, run.model_name, run.run_id)
            dataset = stage.load_dataset(dataset_id)
            settled = plan(stage.engine, run, dataset, models)
        return [
            {"number": number, "base_version_id": settled.base_version_id}
            for number in range(settled.members)
        ]

    @task(
        **training_arguments(),
        execution_timeout=timedelta(hours=6),
        map_index_template="network {{ network_number }}",
        doc_md="Train one network, continuing where a killed attempt stopped.",
    )
    def train_member(dataset_id: str, member: dict[str, Any]) -> None:
        """Train one network, continuing where a killed attempt stopped."""
        from roi_forecast.registry.candidates import train_member as train

        get_current_context()["network_number"] = member["number"] + 1  # type: ignore[typeddict-unknown-key]
        with open_stage() as stage:
            dataset = stage.load_dataset(dataset_id)
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
        from roi_forecast.registry.candidates import combine_members as combine

        with open_stage() as stage:
            dataset = stage.load_dataset(dataset_id)
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
        """Score the candidate, its baselines and the champion; return the champion compared."""
        from roi_forecast.evaluation.evaluate import evaluate_model as evaluate
        from roi_forecast.serving.fallback import replace_damaged_champion

        with open_stage() as stage:
            run, models = stage.run, stage.settings.models_directory
            replace_damaged_champion(stage.engine, models, run.model_name, run.run_id)
            dataset = stage.load_dataset(dataset_id)
            return evaluate(stage.engine, run, dataset, version_id, models)

    @task.branch
    def monitor_champion() -> str | None:
        """Score the live forecasts, compare them with their limits, and look for drift."""
        from roi_forecast.monitoring.monitor import monitor_champion as monitor

        with open_stage(last=True) as stage:
            monitoring = monitor(stage.engine, stage.run)
            send_figures(stage.engine, stage.run.run_id, stage.run.model_name)
        return "champion_below_limit" if monitoring.alerts else None

    @task
    def champion_below_limit() -> None:
        """Log what to do; runs only if the champion's live forecasts are below a limit."""
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
