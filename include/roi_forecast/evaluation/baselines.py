"""Predictors that need no training: what a model is compared with."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import known_sum
from roi_forecast.forecaster.forecasts import Forecasts


def persistence(dataset: Dataset, targets: range) -> Forecasts:
    """Forecast the last smoothed and the last plain log ROI."""
    last = slice(targets.start - 1, targets.stop - 1)
    return next_session_forecasts(dataset, targets, dataset.smoothed[last], dataset.log_roi[last])


def zero(dataset: Dataset, targets: range) -> Forecasts:
    """Forecast that no price moves: the known days alone make the smoothed log ROI."""
    nothing = np.zeros((len(targets), len(dataset.symbols)))
    return no_skill(dataset, targets, nothing)


def no_skill(dataset: Dataset, targets: range, mean: FloatArray | None = None) -> Forecasts:
    """Forecast the smoothing - 1 past log ROIs in the target, and the training mean for the next.

    Where returns cannot be predicted, nothing does better in the long run.

    Args:
        dataset: The rows.
        targets: Target rows.
        mean: The mean log ROI to guess, shape (targets, assets); None takes the scaler's.
    """
    if mean is None:
        mean = np.broadcast_to(dataset.scaler.log_roi_mean, (len(targets), len(dataset.symbols)))
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    return next_session_forecasts(dataset, targets, (known + mean) / dataset.smoothing, mean)


def next_session_forecasts(
    dataset: Dataset, targets: range, smoothed: FloatArray, log_roi: FloatArray
) -> Forecasts:
    """Return forecasts of the next session as they are scored, without parts and bounds.

    Args:
        dataset: Names the assets.
        targets: Target rows.
        smoothed: Smoothed log ROI, shape (targets, assets), unscaled.
        log_roi: Published log ROI, same shape.
    """
    return Forecasts(dataset.symbols, targets, (1,), log_roi[np.newaxis], smoothed[np.newaxis])
