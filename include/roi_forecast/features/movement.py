"""Assets whose price does not move: rows without information, and assets that cannot be fitted.

A price that does not move always rewards a smaller scale, and in a pooled fit the intervals of all
other assets suffer for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from roi_forecast.array_types import BoolArray, FloatArray, IndexArray

HALT_SESSIONS = 5
"""A price is halted from the last of this many sessions without a move."""

MIN_MOVE = 0.0005
"""Log ROI (five basis points) below which the scale forecast does not distinguish moves."""

MIN_MOVING_SHARE = 0.5
"""Share of the training rows on which an asset must move by more; else its median move is none."""

UNCHANGED = 1e-6
"""Log ROI up to which a price is unchanged; ten times the rounding of single precision."""


def halted_rows(prices: FloatArray) -> BoolArray:
    """Return the rows on which a price has not moved for HALT_SESSIONS sessions, this one included.

    No later row decides, so the first rows of a halt count as ordinary sessions without a move.

    Args:
        prices: Carried prices, shape (rows, assets); NaN before an asset's first.

    Returns:
        Shape (rows, assets).
    """
    with np.errstate(invalid="ignore"):
        unchanged = np.abs(np.diff(np.log(prices), axis=0)) <= UNCHANGED
    halted = np.zeros(prices.shape, dtype=np.bool_)
    if len(unchanged) >= HALT_SESSIONS:
        halted[HALT_SESSIONS:] = sliding_window_view(unchanged, HALT_SESSIONS, axis=0).all(axis=-1)
    return halted


@dataclass(frozen=True)
class Movement:
    """The number of training rows on which each asset moves, shape (assets,), and of all rows."""

    moving: IndexArray
    rows: int

    @property
    def shares(self) -> FloatArray:
        """Moving rows over all training rows, shape (assets,)."""
        return self.moving / self.rows

    @property
    def suffices(self) -> BoolArray:
        """Whether an asset moves enough to be fitted, shape (assets,)."""
        return np.asarray(self.shares >= MIN_MOVING_SHARE, dtype=np.bool_)


def measure_movement(log_roi: FloatArray) -> Movement:
    """Count the rows on which a log ROI differs from both 0 and the asset's median by MIN_MOVE.

    So a constant price does not move, nor one that grows at the same rate every day like a money
    market fund, nor one whose tick is larger than most daily moves.

    Args:
        log_roi: Of the training rows, shape (training rows, assets).
    """
    usual = np.median(log_roi, axis=0)
    moving = (np.abs(log_roi) > MIN_MOVE) & (np.abs(log_roi - usual) > MIN_MOVE)
    return Movement(np.asarray(moving.sum(axis=0), dtype=np.intp), len(log_roi))
