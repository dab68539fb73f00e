"""The tasks that forecast with whichever version serves."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import TriggerRule, task

from roi_airflow.assets import FORECASTS, describe_event
from roi_airflow.stage import Stage, open_stage


@task(outlets=[FORECASTS])
def forecast_meanwhile(dataset_id: str) -> None:
    """Forecast with the champion of before while a person looks at the candidate."""
    with open_stage() as stage:
        _forecast(stage, dataset_id)


@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, outlets=[FORECASTS])
def forecast(dataset_id: str) -> None:
    """Forecast every asset with whichever version serves; end the run's claim on its name."""
    from roi_forecast.runs.claims import release_run

    with open_stage(last=True) as stage:
        try:
            _forecast(stage, dataset_id)
        finally:
            release_run(stage.engine, stage.run.run_id, now=datetime.now(UTC))


def _forecast(stage: Stage, dataset_id: str) -> None:
    from roi_forecast.forecasts.store import store_forecasts
    from roi_forecast.model.versions import find_champion

    run = stage.run
    models = stage.settings.models_directory
    rows = store_forecasts(stage.engine, run, dataset_id, models, now=datetime.now(UTC))
    with stage.engine.connect() as connection:
        champion = find_champion(connection, run.model_name)
    describe_event(
        FORECASTS,
        run_id=run.run_id,
        model_name=run.model_name,
        version_id=champion.version_id if champion else None,
        as_of_date=str(run.as_of_date),
        new_rows=rows,
    )
