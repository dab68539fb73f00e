"""What the scale forecast reads of a market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray


class MarketRows(Protocol):
    """Rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The assets, in column order."""

    @property
    def dates(self) -> npt.NDArray[np.datetime64]:
        """Reference sessions."""

    @property
    def log_roi(self) -> FloatArray:
        """Plain log ROI, unscaled."""

    @property
    def true_range(self) -> FloatArray:
        """True range, a fraction."""

    @property
    def volume(self) -> FloatArray:
        """Shares traded; NaN where unknown."""

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Whether the asset had no bar."""


@dataclass(frozen=True)
class RowSlice:
    """Consecutive rows: what `MarketRows` asks for, of these alone; views, no copies."""

    symbols: tuple[str, ...]
    dates: npt.NDArray[np.datetime64]
    log_roi: FloatArray
    true_range: FloatArray
    volume: FloatArray
    filled: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: MarketRows, start: int, stop: int) -> Self:
        """Return the rows from `start` up to, but not with, `stop`."""
        return cls(
            rows.symbols,
            rows.dates[start:stop],
            rows.log_roi[start:stop],
            rows.true_range[start:stop],
            rows.volume[start:stop],
            rows.filled[start:stop],
        )
