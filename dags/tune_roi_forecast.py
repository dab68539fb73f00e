"""The search for better hyperparameters: trials of one study, side by side."""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import TriggerRule, dag, get_current_context, task

from roi_airflow.api_server.links import OWN_TAG
from roi_airflow.notification import report_failure
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.dataset_tasks import dataset_of
from roi_airflow.tasks.reasons import REASONS
from roi_airflow.tasks.stage import (
    begin_run,
    current_run_id,
    due_moment,
    given_parameters,
    is_run_active,
    open_stage,
)
from roi_forecast.config import TuningRunConfig
from roi_forecast.settings import TRAINING_POOL

logger = logging.getLogger(__name__)

DOCUMENTATION = """
Searches for better hyperparameters; started by hand.

Each trial trains with a set of parameters that the study has not tried yet and is scored on the
validation rows; test rows are never read. Runs of one `study` share it: one that was killed goes
on where it stopped, and a higher `trials` adds to it. The results are in `roi.tuning_trials`. A
daily run takes the best set with `tuned_study`.

Smoothing is not searched: it changes the target, so scores could not be compared.
"""


@dag(
    dag_id="tune_roi_forecast",
    schedule=None,
    catchup=False,
    max_active_runs=4,
    is_paused_upon_creation=False,
    params=run_parameters(TuningRunConfig),
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        **REASONS,
    },
    on_failure_callback=report_failure,
    doc_md=DOCUMENTATION,
    tags=[OWN_TAG],
)
def tune_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=0)
    def resolve_run() -> list[list[str]]:
        """Check parameters and preconditions; return the symbols to extract, in batches."""
        from roi_forecast.market.extraction import extraction_batches
        from roi_forecast.planning.resolve import resolve_tuning

        with begin_run() as installation:
            run = resolve_tuning(
                installation.engine,
                installation.settings,
                current_run_id(),
                given_parameters(),
                now=due_moment(),
            )
        return extraction_batches(run.extraction_symbols)

    @task
    def open_search(dataset_id: str) -> list[int]:
        """Begin the study or go on with it; return the slots of the trials it still lacks."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.tuning.study import open_search as open_

        with open_stage() as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            return open_(stage.engine, stage.run, dataset, is_run_active)

    @task(
        queue="gpu",
        pool=TRAINING_POOL,
        retries=2,
        execution_timeout=timedelta(hours=6),
        map_index_template="{{ trial }}",
        doc_md="Train with parameters that were not tried yet, and score them on validation rows.",
    )
    def run_trial(slot: int, dataset_id: str) -> None:
        """Train with parameters that were not tried yet, and score them on validation rows."""
        from roi_forecast.features.storage import load_dataset
        from roi_forecast.tuning.trial import run_trial as run_

        context = get_current_context()
        context["trial"] = f"slot {slot}"  # type: ignore[typeddict-unknown-key]
        with open_stage() as stage:
            dataset = load_dataset(stage.settings.datasets_directory / dataset_id)
            outcome = run_(stage.engine, stage.run, dataset, slot, stage.settings.tuning_directory)
        if outcome is not None:
            score = "pruned" if outcome.validation_r2 is None else f"{outcome.validation_r2:.5f}"
            context["trial"] = f"{outcome.number}: {score}"  # type: ignore[typeddict-unknown-key]

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report_best() -> None:
        """Log the best trials of the study."""
        from roi_forecast.tuning.best_trials import log_best_trials

        with open_stage(last=True) as stage:
            log_best_trials(stage.engine, stage.run)

    dataset_id = dataset_of(resolve_run())
    slots = open_search(dataset_id)
    run_trial.partial(dataset_id=dataset_id).expand(slot=slots) >> report_best()


tune_roi_forecast()
