"""The search for better hyperparameters, triggered manually: trials of one study in parallel."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import TriggerRule, dag, get_current_context, task

from roi_airflow.dag_arguments import DAG_ARGUMENTS
from roi_airflow.parameters import run_parameters
from roi_airflow.tasks.dataset_tasks import dataset_of, resolve_symbols
from roi_airflow.tasks.stage import begin_run, is_run_active, open_stage
from roi_forecast.config import TuningRunConfig
from roi_production.training_pod import training_arguments

DOCUMENTATION = """
Searches for better hyperparameters.

Each trial trains with parameters that the study has not tried yet and is scored on validation rows;
it never reads test rows. Runs with the same `study` share it: a new run continues one that was
killed, and a higher `trials` adds to it. The results are in `roi.tuning_trials`. A daily run uses
the best parameters by `tuned_study`.

Smoothing is not searched: it changes the target, so scores could not be compared.
"""


@dag(
    **DAG_ARGUMENTS,
    schedule=None,
    max_active_runs=4,
    params=run_parameters(TuningRunConfig),
    doc_md=DOCUMENTATION,
)
def tune_roi_forecast() -> None:
    """Wire the stages together; each task is one call into the library."""

    @task(retries=0)
    def resolve_run() -> list[list[str]]:
        """Check parameters and preconditions; return the symbols to extract, in batches."""
        from roi_forecast.planning.resolve import resolve_tuning

        with begin_run() as installation:
            return resolve_symbols(installation, resolve_tuning)

    @task
    def open_search(dataset_id: str) -> list[int]:
        """Create or continue the study; return the slots of the trials that it still needs."""
        from roi_forecast.tuning import study

        with open_stage() as stage:
            dataset = stage.load_dataset(dataset_id)
            return study.open_search(stage.engine, stage.run, dataset, is_run_active)

    @task(
        **training_arguments(),
        execution_timeout=timedelta(hours=6),
        map_index_template="{{ trial }}",
        doc_md="Train with parameters that were not tried yet, and score them on validation rows.",
    )
    def run_trial(slot: int, dataset_id: str) -> None:
        """Train with parameters that were not tried yet, and score them on validation rows."""
        from roi_forecast.tuning import trial

        context = get_current_context()
        context["trial"] = f"slot {slot}"  # type: ignore[typeddict-unknown-key]
        with open_stage() as stage:
            dataset = stage.load_dataset(dataset_id)
            outcome = trial.run_trial(
                stage.engine, stage.run, dataset, slot, stage.settings.tuning_directory
            )
        if outcome is not None:
            score = "pruned" if outcome.validation_r2 is None else f"{outcome.validation_r2:.5f}"
            context["trial"] = f"{outcome.number}: {score}"  # type: ignore[typeddict-unknown-key]

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report_best() -> None:
        """Log the best trials of the study, and store what its scores depend on."""
        from roi_forecast.tuning.best_trials import conclude_search

        with open_stage(last=True) as stage:
            conclude_search(stage.engine, stage.run)

    dataset_id = dataset_of(resolve_run())
    slots = open_search(dataset_id)
    run_trial.partial(dataset_id=dataset_id).expand(slot=slots) >> report_best()


tune_roi_forecast()
