"""Rows in which the context leads the opening gap with known weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from roi_forecast.array_types import BoolArray, DateArray, FloatArray

GAP_WEIGHTS = np.array([[0.3, 0.6, 0.0], [0.2, 0.0, 0.0]])
"""Of two context assets for two stocks and a metal."""
GAP_NOISE, LATER_NOISE = 0.004, 0.012


@dataclass(frozen=True)
class PlantedRows:
    """What the linear part reads; shapes as in a dataset."""

    symbols: tuple[str, ...]
    dates: DateArray
    log_roi: FloatArray
    gap: FloatArray
    filled: BoolArray
    context: FloatArray

    def first(self, rows: int) -> PlantedRows:
        """Return the first rows."""
        return self.between(0, rows)

    def between(self, start: int, stop: int) -> PlantedRows:
        """Return some rows."""
        chosen = slice(start, stop)
        names = ("dates", "log_roi", "gap", "filled", "context")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def planted_rows(rows: int = 700, seed: int = 3, lead: float = 1.0) -> PlantedRows:
    """Return rows over weekdays; `lead` multiplies the weights."""
    generator = np.random.default_rng(seed)
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2035-01-01"))
    dates = days[np.is_busday(days)][:rows]
    context = generator.normal(0, 0.01, (rows, 2))
    gap = generator.normal(0, GAP_NOISE, (rows, 3))
    gap[1:] += lead * context[:-1] @ GAP_WEIGHTS
    log_roi = gap + generator.normal(0, LATER_NOISE, (rows, 3))
    filled = generator.random((rows, 3)) < 0.02
    log_roi[filled], gap[filled] = 0.0, np.nan
    return PlantedRows(("A.NS", "B.NS", "GC=F"), dates, log_roi, gap, filled, context)
