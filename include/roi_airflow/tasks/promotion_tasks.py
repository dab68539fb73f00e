"""The tasks from the gate's decision to the serving version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task

from roi_airflow.assets import CHAMPION, describe_champion
from roi_airflow.tasks.approval import APPROVED_BY, PromotionApproval
from roi_airflow.tasks.forecast_tasks import forecast_meanwhile
from roi_airflow.tasks.stage import open_stage

if TYPE_CHECKING:
    from airflow.sdk import XComArg


@task.branch
def decide_promotion(version_id: str, opponent: str | None) -> str | list[str]:
    """Judge the candidate by the gate's rules."""
    from roi_forecast.gate.decide import decide_promotion as decide

    with open_stage() as stage:
        verdict = decide(stage.engine, stage.run, version_id, opponent)
        needs_approval = stage.run.config.approval_hours is not None
    if not verdict.promoted:
        return "reject_model"
    # A person may take hours, and the forecasts are wanted before the session opens.
    return ["approve_promotion", "forecast_meanwhile"] if needs_approval else "promote_model"


@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, outlets=[CHAMPION])
def promote_model(version_id: str) -> None:
    """Publish the candidate and make it champion."""
    from roi_forecast.serving.promotion import promote_model as promote

    task_instance: Any = get_current_context()["ti"]
    person = task_instance.xcom_pull(task_ids="approve_promotion", key=APPROVED_BY)
    with open_stage() as stage:
        run_id = stage.run.run_id
        version = promote(
            stage.engine,
            stage.settings.models_directory,
            version_id,
            run_id,
            promoted_by=f"{person} in run {run_id}" if person else f"gate of run {run_id}",
        )
        describe_champion(version, run_id)


@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
def reject_model(version_id: str) -> None:
    """Mark the candidate as rejected; the champion continues to serve."""
    from roi_forecast.serving.promotion import reject_model as reject

    with open_stage() as stage:
        reject(stage.engine, version_id)


def settle_promotion(dataset_id: Any, version_id: Any, opponent: Any) -> list[XComArg]:
    """Add the decision, a person's approval, and promotion or rejection to the current DAG.

    Args:
        dataset_id: The run's dataset, as an XComArg.
        version_id: The candidate, as an XComArg.
        opponent: The version that it was compared with, as an XComArg.

    Returns:
        The two tasks, one of which carries out the decision.
    """
    promoted, rejected = promote_model(version_id), reject_model(version_id)
    approval = PromotionApproval(
        task_id="approve_promotion",
        version_id=version_id,
        approve="promote_model",
        reject="reject_model",
        doc_md="Wait for a person in the screen of required actions; no answer is a rejection.",
    )
    decision = decide_promotion(version_id, opponent)
    decision >> [promoted, rejected, approval, forecast_meanwhile(dataset_id)]
    approval >> [promoted, rejected]
    return [promoted, rejected]
