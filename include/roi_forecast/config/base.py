"""What all configurations share: frozen, checked fields that also describe the trigger form."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from roi_forecast.written_date import AS_WRITTEN

NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
"""Pattern of the names of models and studies."""

Day = Annotated[date, Field(strict=True, ge=date(1900, 1, 1), le=date(2199, 12, 31)), AS_WRITTEN]
"""A day that every calendar covers, so that arithmetic with it never overflows."""

Section = Literal[
    "Run",
    "Rollback",
    "Retention",
    "Backtest",
    "Search",
    "Promotion",
    "Features and network",
    "Training",
    "Rarely changed",
]
"""Sections of the trigger forms, in their order."""

RARE: dict[str, Any] = {"section": "Rarely changed"}
"""`json_schema_extra` of a parameter that few people change."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Config(BaseModel):
    """Parameters that never change after validation; an unknown one is refused.

    `json_schema_extra` of a field holds what only its place in the trigger form needs: another
    section than the class's, or words for its choices (`values_display`).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    form_section: ClassVar[Section] = "Run"

    @field_validator("*")
    @classmethod
    def _texts_have_no_control_characters(cls, value: Any) -> Any:
        if isinstance(value, str) and _CONTROL_CHARACTER.search(value):
            raise ValueError("control characters are not allowed")
        return value
