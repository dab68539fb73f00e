"""Dates as people write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _from_text(value: Any) -> Any:
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    return value


AS_WRITTEN = BeforeValidator(_from_text)
"""Reads the text of a strict date, YYYY-MM-DD. Pydantic's own way takes seconds since 1970, too."""

WrittenDate = Annotated[date, Field(strict=True), AS_WRITTEN]
