"""A value of a file that shows something."""

from __future__ import annotations

from typing import NamedTuple

from roi_forecast.quoting import quoted


class Example(NamedTuple):
    """A value that shows something, and where it is."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"{quoted(self.text)} in line {self.line}"
