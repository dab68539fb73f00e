"""The tasks that forecast, mostly with the serving version."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import TriggerRule, task

from roi_airflow.assets import FORECASTS, describe_event
from roi_airflow.tasks.stage import Stage, open_stage


@task(outlets=[FORECASTS])
def forecast_meanwhile(dataset_id: str) -> None:
    """Forecast with the previous champion while a person looks at the candidate."""
    with open_stage() as stage:
        _forecast(stage, dataset_id, candidate_id=None)


@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, outlets=[FORECASTS])
def forecast(dataset_id: str, candidate_id: str) -> None:
    """Forecast every asset: with the champion, or with the run's candidate for a day in its data.

    Ends the run's claim on its model name.
    """
    from roi_forecast.runs.claims import release_run

    with open_stage(last=True) as stage:
        try:
            _forecast(stage, dataset_id, candidate_id)
        finally:
            release_run(stage.engine, stage.run.run_id, now=datetime.now(UTC))


def _forecast(stage: Stage, dataset_id: str, candidate_id: str | None) -> None:
    from roi_forecast.serving.forecast_store import store_forecasts

    run = stage.run
    stored = store_forecasts(
        stage.engine,
        run,
        dataset_id,
        stage.settings.models_directory,
        candidate_id=candidate_id,
        now=datetime.now(UTC),
    )
    describe_event(
        FORECASTS,
        run_id=run.run_id,
        model_name=run.model_name,
        version_id=stored.version_id,
        as_of_date=str(run.as_of_date),
        new_rows=stored.added,
    )
