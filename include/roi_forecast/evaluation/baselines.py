"""Predictors that a network has to be compared with, and the best that any of them could reach."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import implied_log_roi, known_sum
from roi_forecast.forecaster.forecasts import Forecasts
from roi_forecast.forecaster.shrinkage import counted_log_roi, shrinkage_factor
from roi_forecast.network.ridge import Ridge


def persistence(dataset: Dataset, targets: range) -> Forecasts:
    """Forecast the last smoothed and the last plain log ROI."""
    last = slice(targets.start - 1, targets.stop - 1)
    return next_session_forecasts(dataset, targets, dataset.smoothed[last], dataset.log_roi[last])


def training_mean(dataset: Dataset, targets: range) -> Forecasts:
    """Forecast the means of the training rows."""
    scaler, shape = dataset.scaler, (len(targets), len(dataset.symbols))
    mean = np.broadcast_to(scaler.log_roi_mean, shape)
    smoothed = scaler.inverse(np.broadcast_to(scaler.center, shape))
    return next_session_forecasts(dataset, targets, smoothed, mean)


def no_skill(dataset: Dataset, targets: range, mean: FloatArray | None = None) -> Forecasts:
    """Forecast as an oracle that knows the smoothing - 1 past log ROIs in the target.

    For the one log ROI it cannot know it guesses the training mean. Where returns cannot be
    predicted, nothing does better in the long run.

    Args:
        dataset: The rows.
        targets: Target rows.
        mean: The mean log ROI to guess, shape (targets, assets); None takes the scaler's.
    """
    if mean is None:
        mean = np.broadcast_to(dataset.scaler.log_roi_mean, (len(targets), len(dataset.symbols)))
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    return next_session_forecasts(dataset, targets, (known + mean) / dataset.smoothing, mean)


def ridge_shrinkage(dataset: Dataset, ridge: Ridge) -> float:
    """Return the factor of ridge regression's forecasts that fits best on validation rows."""
    validation = dataset.split.validation
    _, implied = _by_ridge(dataset, validation, ridge)
    actual = counted_log_roi(dataset)[validation.start : validation.stop]
    return shrinkage_factor(implied, actual)


def ridge_forecasts(dataset: Dataset, targets: range, ridge: Ridge, shrinkage: float) -> Forecasts:
    """Forecast by ridge regression, shrunk by a factor."""
    smoothed, log_roi = _by_ridge(dataset, targets, ridge)
    return next_session_forecasts(dataset, targets, smoothed, log_roi, shrinkage)


def next_session_forecasts(
    dataset: Dataset,
    targets: range,
    smoothed: FloatArray,
    log_roi: FloatArray,
    shrinkage: float = 1.0,
) -> Forecasts:
    """Return forecasts of the next session as they are scored, without bounds.

    Args:
        dataset: Names the assets.
        targets: Target rows.
        smoothed: Smoothed log ROI, shape (targets, assets), unscaled.
        log_roi: Plain log ROI, same shape.
        shrinkage: Factor of the published log ROI.
    """
    plain = log_roi[np.newaxis]
    return Forecasts(dataset.symbols, targets, (1,), plain, shrinkage * plain, smoothed[np.newaxis])


def _by_ridge(dataset: Dataset, targets: range, ridge: Ridge) -> tuple[FloatArray, FloatArray]:
    scaled = ridge.predict(dataset.scaled, dataset.scaled_log_roi, targets)
    smoothed = dataset.scaler.inverse(scaled)
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    return smoothed, implied_log_roi(smoothed, known, dataset.smoothing)
