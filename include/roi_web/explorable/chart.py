"""The shape of a chart to explore: columns of values by date, as JSON for static/charts.js."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Colour = Literal["price", "point", "miss", "narrow", "wide"]
"""A colour of static/roi.css, which differs between light and dark mode."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Values(_Frozen):
    """One value a row.

    Attributes:
        name: What the values are.
        kind: How they are drawn; `dashed` is a dashed line.
        colour: Their colour.
        values: A value for each row of the chart, or None.
        pale: Whether they are drawn paler than others.
    """

    name: str
    kind: Literal["line", "dashed", "points", "bars"]
    colour: Colour
    values: list[float | None]
    pale: bool = False

    @property
    def columns(self) -> tuple[list[float | None], ...]:
        """All columns of the series."""
        return (self.values,)


class Ranges(_Frozen):
    """Two bounds a row.

    Attributes:
        name: What the bounds are.
        kind: `band` connects those of neighbouring dates, `intervals` is an upright bar for each.
        colour: Their colour.
        lower: A lower bound for each row of the chart, or None.
        upper: An upper bound for each row of the chart, or None.
        pale: Whether they are drawn paler than others.
    """

    name: str
    kind: Literal["band", "intervals"]
    colour: Colour
    lower: list[float | None]
    upper: list[float | None]
    pale: bool = False

    @property
    def columns(self) -> tuple[list[float | None], ...]:
        """All columns of the series."""
        return self.lower, self.upper


class Level(_Frozen):
    """A line that values are compared with."""

    name: str
    value: float


class Chart(_Frozen):
    """A chart over dates.

    Attributes:
        title: Of the chart and of its picture, complete without the page around it.
        unit: Of all values: a currency, `%` or words.
        digits: Decimal digits of the values.
        signed: Whether values above zero have a plus sign.
        dates: The date of each row, oldest first; a date may have several rows.
        series: What is drawn, the first at the back.
        notes: Words for each row, or none.
        first_shown: The chart first shows the dates from this one on; None: all.
        level: A line to compare with.
        limits: Ends of the axis of values; None: as the shown values need.
    """

    title: str
    unit: str
    digits: int = Field(2, ge=0, le=10)
    signed: bool = False
    dates: list[date]
    series: list[Values | Ranges]
    notes: list[str | None] = []
    first_shown: date | None = None
    level: Level | None = None
    limits: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _require_whole_columns(self) -> Self:
        if self.dates != sorted(self.dates):
            raise ValueError("dates: they must ascend")
        rows = len(self.dates)
        if self.notes and len(self.notes) != rows:
            raise ValueError(f"notes: {len(self.notes)} for {rows} dates")
        for series in self.series:
            for column in series.columns:
                if len(column) != rows:
                    raise ValueError(f"{series.name}: {len(column)} values for {rows} dates")
        return self
