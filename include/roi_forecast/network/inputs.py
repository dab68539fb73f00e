"""The inputs of the network and of ridge regression: two windows before each target row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roi_forecast.features.windows import window_view

PLAIN_LAGS = 10
"""Lags of the plain log ROI next to the smoothed ones; fewer where the window is shorter."""

SCALED = "scaled"
SCALED_LOG_ROI = "scaled_log_roi"


def plain_lags(seq_len: int) -> int:
    """Return how many plain log ROI lags go with windows of `seq_len` rows."""
    return min(PLAIN_LAGS, seq_len)


def model_inputs(
    scaled: npt.NDArray[np.float32],
    scaled_log_roi: npt.NDArray[np.float32],
    targets: range,
    seq_len: int,
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the windows before each target row, as views.

    Args:
        scaled: Scaled smoothed log ROI, shape (rows, assets).
        scaled_log_roi: Scaled plain log ROI, same shape.
        targets: Consecutive target rows; the last may be the row after the last one. No row at or
            after a target is part of its windows.
        seq_len: Rows in one window.

    Returns:
        By the name of the network's input: `scaled`, shape (targets, seq_len, assets), and
        `scaled_log_roi`, shape (targets, plain lags, assets). Oldest row first.

    Raises:
        DatasetError: A target has too few rows before it, or lies after the next row.
    """
    return {
        SCALED: window_view(scaled, targets, seq_len),
        SCALED_LOG_ROI: window_view(scaled_log_roi, targets, plain_lags(seq_len)),
    }
