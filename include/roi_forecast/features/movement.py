"""Assets whose price stands still: which rows say nothing, and which assets cannot be fitted.

A price that does not move rewards every fitted scale for being smaller still, and a pooled fit pays
for it with the intervals of all other assets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from roi_forecast.array_types import BoolArray, FloatArray, IndexArray

HALT_SESSIONS = 5
"""A price that has not moved for so many sessions is halted, from the last of them on."""

MIN_MOVE = 0.0005
"""Log ROI, five basis points: moves below it are alike to the scale forecast."""

MIN_MOVING_SHARE = 0.5
"""Share of the training rows on which an asset has to move by more: else its median move is none.
"""

UNCHANGED = 1e-6
"""Log ROI up to which a price is the same: prices of single precision are rounded to a tenth of it.
"""


def halted_rows(prices: FloatArray) -> BoolArray:
    """Tell on which rows a price has not moved for HALT_SESSIONS sessions, this one the last.

    The row of a halt that is the first to say so is known to be one on the day itself: no row after
    it is looked at. So the first rows of a halt still count as sessions without a move.

    Args:
        prices: Carried prices, shape (rows, assets); NaN before an asset's first.

    Returns:
        Shape (rows, assets).
    """
    with np.errstate(invalid="ignore"):
        stands = np.abs(np.diff(np.log(prices), axis=0)) <= UNCHANGED
    halted = np.zeros(prices.shape, dtype=np.bool_)
    if len(stands) >= HALT_SESSIONS:
        halted[HALT_SESSIONS:] = sliding_window_view(stands, HALT_SESSIONS, axis=0).all(axis=-1)
    return halted


@dataclass(frozen=True)
class Movement:
    """On how many training rows each asset's price moves.

    Attributes:
        moving: Rows, shape (assets,).
        rows: Training rows.
    """

    moving: IndexArray
    rows: int

    @property
    def shares(self) -> FloatArray:
        """Moving rows over all training rows, shape (assets,)."""
        return self.moving / self.rows

    @property
    def suffices(self) -> BoolArray:
        """Whether an asset can take part in a fit, shape (assets,)."""
        return np.asarray(self.shares >= MIN_MOVING_SHARE, dtype=np.bool_)


def measure_movement(log_roi: FloatArray) -> Movement:
    """Count the rows on which a log ROI is far from 0 and from the asset's usual one, its median.

    So neither a constant price moves, nor one that grows by the same rate every day as a money
    market fund does, nor one that its tick holds still on most days.

    Args:
        log_roi: Of the training rows, shape (training rows, assets); no other row may decide.
    """
    usual = np.median(log_roi, axis=0)
    moving = (np.abs(log_roi) > MIN_MOVE) & (np.abs(log_roi - usual) > MIN_MOVE)
    return Movement(np.asarray(moving.sum(axis=0), dtype=np.intp), len(log_roi))
