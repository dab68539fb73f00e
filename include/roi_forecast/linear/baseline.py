"""The smoothed log ROI without the network: the known days exactly, the next one by the fits."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import known_sum
from roi_forecast.features.scaling import Scaler
from roi_forecast.linear.through_time import Linear, LinearRows


def linear_baseline(
    linear: Linear,
    rows: LinearRows,
    scaler: Scaler,
    smoothing: int,
    targets: range,
    next_date: np.datetime64 | None = None,
) -> FloatArray:
    """Return (sum of the known log ROIs + published next log ROI) / smoothing, scaled.

    Args:
        linear: Fitted through time.
        rows: In time order. No row from a target on takes part in its baseline.
        scaler: Of the smoothed log ROI.
        smoothing: Sessions in the moving average.
        targets: Consecutive target rows; the last may be the row after the last.
        next_date: The date of the row after the last, where it is a target.

    Returns:
        Shape (targets, assets).
    """
    known = known_sum(rows.log_roi, targets, smoothing)
    published = linear.predict(rows, targets, next_date).published
    return scaler.transform((known + published) / smoothing)


def dataset_baseline(dataset: Dataset, half_life: float, targets: range) -> FloatArray:
    """Return `linear_baseline` of a dataset's own fits, which read no row from a target on."""
    linear = Linear.fit(dataset, half_life)
    return linear_baseline(linear, dataset, dataset.scaler, dataset.smoothing, targets)
