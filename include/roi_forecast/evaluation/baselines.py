"""Predictors that a network has to be compared with, and the best that any of them could reach.

Each returns the scaled smoothed log ROI of the target rows, shape (targets, assets), and looks at
no row from the target on. The fourth baseline, ridge regression, is `model.ridge`.
"""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.returns import known_sum


def persistence(dataset: Dataset, targets: range) -> FloatArray:
    """Forecast the last value seen."""
    scaled = dataset.scaler.transform(dataset.smoothed)
    return scaled[targets.start - 1 : targets.stop - 1]


def training_mean(dataset: Dataset, targets: range) -> FloatArray:
    """Forecast the mean of the training rows."""
    return np.tile(dataset.scaler.center, (len(targets), 1))


def noise_limit(dataset: Dataset, targets: range) -> FloatArray:
    """Forecast as an oracle that knows the smoothing - 1 past log ROIs in the target.

    For the one log ROI it cannot know it guesses the training mean. Where returns cannot be
    predicted, nothing does better in the long run.
    """
    known = known_sum(dataset.log_roi, targets, dataset.smoothing)
    return dataset.scaler.transform((known + dataset.scaler.log_roi_mean) / dataset.smoothing)
