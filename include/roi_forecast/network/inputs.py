"""The inputs of the network: a window before each target row, and what is known without it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import DatasetError
from roi_forecast.features.windows import window_view

SCALED = "scaled"
BASELINE = "baseline"


def model_inputs(
    inputs: npt.NDArray[np.float32], baseline: FloatArray, targets: range, seq_len: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Return what the network takes for each target row; the windows are views.

    Args:
        inputs: Scaled smoothed log ROI of the assets, then context moves, shape (rows, assets +
            context assets).
        baseline: `linear_baseline` of the targets, shape (targets, assets).
        targets: Consecutive target rows; the last may be the row after the last one. No row at or
            after a target is part of its window.
        seq_len: Rows in one window.

    Returns:
        By the name of the network's input: `scaled`, shape (targets, seq_len, assets + context
        assets), oldest row first, and `baseline`, shape (targets, assets).

    Raises:
        DatasetError: A target has too few rows before it, or lies after the next row, or no
            baseline.
    """
    if len(baseline) != len(targets):
        raise DatasetError(f"{len(targets)} targets need a baseline each; received {len(baseline)}")
    return {
        SCALED: window_view(inputs, targets, seq_len),
        BASELINE: baseline.astype(np.float32),
    }
