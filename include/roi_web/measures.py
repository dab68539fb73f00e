"""Scores in tables: what each is called, where it is stored and how it is written.

`templates/measure.html` writes their figures.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A score of a version or a predictor.

    Attributes:
        label: What it is called.
        name: Its column.
        kind: share, r2 (signed), or number.
        bounds: Whether its 95 % bounds are stored.
        t: Whether its ratio to its standard error is stored.
    """

    label: str
    name: str
    kind: str = "number"
    bounds: bool = False
    t: bool = False
