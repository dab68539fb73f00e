"""What a price file leaves open, and what a run may settle about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dates = Literal["auto", "day_first", "month_first"]
Decimal = Literal["auto", "point", "comma"]


@dataclass(frozen=True)
class Conventions:
    """The parameters of a run that settle what a file leaves open.

    Attributes:
        dates: `csv_dates`: how `01/02/2024` is read; auto: as the file as a whole shows.
        decimal: `csv_decimal`: the decimal mark; auto: as the file as a whole shows.
        suffix: `csv_suffix`: exchange suffix for symbols that have none, such as `.NS`.
    """

    dates: Dates = "auto"
    decimal: Decimal = "auto"
    suffix: str = ""


AS_THE_FILE_SHOWS = Conventions()
