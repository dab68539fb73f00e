"""NLinear, by least squares.

Source: Zeng, Chen, Zhang and Xu, 2023, "Are Transformers Effective for Time Series Forecasting?".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from peers import PeerForecasts, no_forecasts, parts_of

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.shrinkage import counted_log_roi

LAGS = 60
"""Values of a window, as the network has."""


def nlinear(dataset: Dataset, refits: Sequence[int]) -> PeerForecasts:
    """One linear map of the last 60 values less the last, which is added again.

    Channels share the map, as in the paper, each in units of the standard deviation of its rows
    before the fit; no channel sees another. The weights are those of least squares, which the
    paper's training approaches by gradient descent.
    """
    point, _ = no_forecasts(dataset)
    counted = np.isfinite(counted_log_roi(dataset))
    for part in parts_of(refits, len(dataset.dates)):
        known = slice(LAGS, part.start)
        scale = np.sqrt((dataset.log_roi[: part.start] ** 2).mean(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        scaled = dataset.log_roi[: part.stop] / scale
        # Row i holds the values before row LAGS + i.
        windows = sliding_window_view(scaled[:-1], LAGS, axis=0)
        last = windows[..., -1]
        design = np.concatenate(
            [windows[..., :-1] - last[..., np.newaxis], np.ones((*last.shape, 1))], axis=-1
        )
        fitted = counted[known]
        rows = slice(part.start - LAGS, part.stop - LAGS)
        weights = least_squares(
            design[: part.start - LAGS][fitted], (scaled[LAGS:] - last)[: part.start - LAGS][fitted]
        )
        point[part.start : part.stop] = (last[rows] + design[rows] @ weights) * scale
    return PeerForecasts(point, None)


def least_squares(design: FloatArray, target: FloatArray) -> FloatArray:
    """Return the weights with the least squared error, the shortest where several have it."""
    weights, *_ = np.linalg.lstsq(design, target, rcond=None)
    return np.asarray(weights, dtype=np.float64)
