"""The task that waits for a person's answer, in Airflow's screen of required actions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator

from roi_airflow.api_server.links import URL_PREFIX, airflow_address
from roi_airflow.tasks.stage import open_stage

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVED_BY = "approved_by"
"""Key of the XCom with the name of the person who approved."""

_APPROVE, _REJECT = "Approve", "Reject"
_QUESTION = "for a person's answer, in Airflow's screen of required actions"


class PromotionApproval(HITLBranchOperator):
    """Shows the candidate's figures and the gate's reasons, and follows a person's answer.

    Without an answer within the run's `approval_hours` the candidate is rejected. The answer is
    stored among the gate's decisions, with the person's name.

    Args:
        version_id: The candidate.
        approve: Id of the task that follows an approval.
        reject: Id of the task that follows a rejection.
        arguments: As for any operator.
    """

    template_fields = ("version_id",)

    def __init__(self, *, version_id: str, approve: str, reject: str, **arguments: Any) -> None:
        super().__init__(
            subject="Shall the candidate become champion?",
            options=[_APPROVE, _REJECT],
            defaults=_REJECT,
            options_mapping={_APPROVE: approve, _REJECT: reject},
            **arguments,
        )
        self.version_id = version_id

    def execute(self, context: Context) -> None:
        """Describe the candidate and start to wait."""
        from roi_forecast.gate.approval import describe_decision

        with open_stage(then_waits_for=_QUESTION) as stage:
            hours = stage.run.config.approval_hours
            self.subject = f"Shall {self.version_id} become champion of {stage.run.model_name}?"
            description = describe_decision(stage.engine, stage.run, self.version_id)
            page = f"{airflow_address()}{URL_PREFIX}/versions/{self.version_id}"
            self.body = f"{description}\n\n[Everything about this version]({page})"
            self.response_timeout = None if hours is None else timedelta(hours=hours)
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Store the answer and follow it."""
        from roi_forecast.gate.approval import record_approval

        approved = event.get("chosen_options") == [_APPROVE]
        person = event.get("responded_by_user")
        name = person["name"] if person else None
        with open_stage() as stage:
            hours = stage.run.config.approval_hours
            verb = "approved" if approved else "rejected"
            answer = f"{verb} by {name}" if name else f"nobody answered within {hours:g} h"
            record_approval(
                stage.engine, stage.run.run_id, self.version_id, approved=approved, answer=answer
            )
        if approved:
            context["ti"].xcom_push(APPROVED_BY, name)
        return super().execute_complete(context, event)
