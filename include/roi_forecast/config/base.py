"""What every part of the run configuration has in common."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""Between these lie the days of every calendar, and arithmetic with them never overflows."""

Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
"""A day that a parameter may name."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Config(BaseModel):
    """Parameters that never change once they were checked; an unknown one is refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @field_validator("*")
    @classmethod
    def _texts_have_no_control_characters(cls, value: Any) -> Any:
        if isinstance(value, str) and _CONTROL_CHARACTER.search(value):
            raise ValueError("it must not hold control characters")
        return value
