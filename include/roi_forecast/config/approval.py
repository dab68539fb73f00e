"""The parameters of a person's approval."""

from __future__ import annotations

from pydantic import Field

from roi_forecast.config.base import Config


class ApprovalConfig(Config):
    """Whether a person has the last word on a promotion."""

    require_approval: bool = Field(
        default=False,
        description="Whether a candidate that keeps every rule waits for a person's approval in "
        "Airflow before it serves; until then the champion forecasts.",
    )
    approval_timeout_hours: float = Field(
        12,
        gt=0,
        le=168,
        description="With require_approval: hours after which no answer counts as a rejection.",
    )
