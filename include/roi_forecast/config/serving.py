"""The parameters of the forecasts and of the promotion of the model that makes them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from roi_forecast.config.base import RARE, Config, Section

MAX_HORIZON = 30
"""Maximum number of reference sessions between the as-of date and the target date."""

MultiStep = Literal["direct", "recursive"]

Horizon = Annotated[int, Field(ge=1, le=MAX_HORIZON)]


class ForecastConfig(Config):
    """How far ahead a run forecasts, and by which method."""

    horizons: tuple[Horizon, ...] = Field(
        (1, 5, 20),
        min_length=1,
        max_length=MAX_HORIZON,
        description="Sessions ahead to forecast, each listed once; 1, the next session, is always "
        "included.",
    )
    multi_step: MultiStep = Field(
        "direct",
        description="Forecasts beyond the next session. direct: a ridge regression for each "
        "horizon. recursive: the network receives its own forecasts as input, step by step.",
        json_schema_extra={
            **RARE,
            "values_display": {
                "direct": "a ridge regression for each horizon",
                "recursive": "the network, with its own forecasts as input",
            },
        },
    )

    @field_validator("horizons")
    @classmethod
    def _horizons_differ_and_begin_with_the_next_session(
        cls, horizons: tuple[int, ...]
    ) -> tuple[int, ...]:
        duplicates = sorted({horizon for horizon in horizons if horizons.count(horizon) > 1})
        if duplicates:
            raise ValueError(f"list each horizon once; duplicates: {str(duplicates)[1:-1]}")
        return tuple(sorted({1, *horizons}))


class GateConfig(Config):
    """When a candidate becomes champion; the gate's thresholds are constants of its rules."""

    form_section: ClassVar[Section] = "Promotion"

    approval_hours: float | None = Field(
        None,
        gt=0,
        le=168,
        description="Hours that a person has to approve a promotion in Airflow; meanwhile the "
        "champion forecasts, and no answer rejects the candidate. Empty: no approval is needed.",
    )
    gate_override_reason: str | None = Field(
        None,
        min_length=10,
        max_length=500,
        description="Promotes a candidate that fails rules, and is stored with the decision. "
        "Empty: the rules decide.",
        json_schema_extra={"format": "multiline"},
    )
    min_sessions_between_promotions: int = Field(
        5,
        ge=0,
        le=1000,
        description="Sessions that must have passed since the end of the champion's data before "
        "another version is promoted.",
        json_schema_extra=RARE,
    )
