"""Finding out from all dates of a file whether the day or the month comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.csv_files.conventions import Dates
from roi_forecast.market.sources.csv_files.values.dates import (
    DAY_MONTH,
    day_of,
    last_date,
    whole_year,
)
from roi_forecast.market.sources.csv_files.values.example import Example


@dataclass
class DateEvidence:
    """What the dates of one file show about the order of day and month."""

    examples: list[Example] = field(default_factory=list)
    day_first: Example | None = None
    month_first: Example | None = None
    _readings: set[tuple[int, int, int]] = field(default_factory=set)
    _has_other_marks: bool = False
    _may_be_year_first: bool | None = None

    def add(self, dates: Iterable[Example]) -> None:
        """Add dates that were not added before."""
        for example in dates:
            match = DAY_MONTH.fullmatch(example.text)
            if match is None:
                continue
            if len(self.examples) < 2:
                self.examples.append(example)
            self._has_other_marks |= match["mark"] != "." or len(match["year"]) == 2
            first, second = int(match["first"]), int(match["second_part"])
            year = whole_year(match["year"])
            if len(match["year"]) == 2 and self._may_be_year_first is not False:
                # 24/03/28 may begin with the year; a date that would then lie ahead rules it out.
                day = day_of(whole_year(f"{first:02}"), second, int(match["year"]))
                self._may_be_year_first = day is not None and day <= last_date()
            if first > 12 >= second:
                self.day_first = self.day_first or example
            elif second > 12 >= first:
                self.month_first = self.month_first or example
            else:
                self._readings.add((year, first, second))

    def decide(self, wanted: Dates, usual: Dates, name: str) -> tuple[Dates, str | None]:
        """Return the order and in words why, None if no date needs it; `auto` if it stays open.

        Args:
            wanted: What the run settles.
            usual: What the format is known for.
            name: The file's name in errors.

        Raises:
            SourceDataError: The dates contradict each other.
        """
        if not self.examples:
            return wanted, None
        if wanted != "auto":
            return wanted, f"{_spoken(wanted)}: csv_dates says so"
        if self._may_be_year_first:
            return "auto", f"open whether day, month or year comes first, as in {self.examples[0]}"
        if self.day_first and self.month_first:
            raise SourceDataError(
                f"{name}: dates contradict each other: {self.day_first} has the day first, "
                f"{self.month_first} the month; mend one of them, or set csv_dates to day_first or "
                "month_first"
            )
        if self.day_first:
            return "day_first", f"day first: {self.day_first}"
        if self.month_first:
            return "month_first", f"month first: {self.month_first}"
        if usual != "auto":
            return usual, f"{_spoken(usual)}: as this format has it"
        if not self._has_other_marks:
            return "day_first", f"day first: dates are written with points, as {self.examples[0]}"
        possible = self._possible_orders()
        if len(possible) == 1:
            return possible[0], f"{_spoken(possible[0])}: read the other way, all dates lie ahead"
        return "auto", f"open whether day or month comes first, as in {self.examples[0]}"

    def _possible_orders(self) -> list[Dates]:
        last = last_date()
        orders: list[Dates] = []
        both: tuple[Dates, Dates] = ("day_first", "month_first")
        for order in both:
            read = (
                day_of(y, *(b, a) if order == "day_first" else (a, b)) for y, a, b in self._readings
            )
            if any(day is not None and day <= last for day in read):
                orders.append(order)
        return orders


def _spoken(order: Dates) -> str:
    return order.replace("_", " ")
