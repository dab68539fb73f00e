"""Recursive multi-step forecasts: each step's forecast becomes an input of the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import implied_log_roi
from roi_forecast.features.windows import window_view
from roi_forecast.network.inputs import plain_lags

WindowForecaster = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], FloatArray]
"""Takes windows of the scaled smoothed log ROI, shape (windows, seq_len, assets), and of the scaled
plain log ROI, shape (windows, plain lags, assets); returns the scaled smoothed log ROI of the
session after each, shape (windows, assets)."""

_CHUNK_BYTES = 64 * 2**20


class ModelRows(Protocol):
    """Rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def log_roi(self) -> FloatArray:
        """Plain log ROI, unscaled."""

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Whether the asset had no bar."""

    @property
    def scaled(self) -> npt.NDArray[np.float32]:
        """Scaled smoothed log ROI."""

    @property
    def scaled_log_roi(self) -> npt.NDArray[np.float32]:
        """Plain log ROI in scaled units."""


def forecast_recursively(
    forecast_windows: WindowForecaster,
    preprocessing: Preprocessing,
    rows: ModelRows,
    origins: range,
    horizons: int,
) -> FloatArray:
    """Forecast the log ROI cumulated over 1, …, `horizons` sessions, one step after the other.

    A step forecasts the smoothed log ROI s. The plain log ROI it implies, smoothing * s less the
    sum of the smoothing - 1 before it, is appended to the plain lags and s itself to the smoothed
    ones: s is the mean of the last plain values, known and implied, so both stay one series.

    Args:
        forecast_windows: Forecasts one session ahead.
        preprocessing: The forecaster's own; its scaler leads from s to a log ROI and back.
        rows: Rows in time order, as the preprocessing made them.
        origins: Rows whose session is the first that is forecast; the last may be the row after the
            last. No row from an origin on takes part in its forecasts.
        horizons: Steps.

    Returns:
        Shape (horizons, origins, assets), unscaled.

    Raises:
        DatasetError: An origin has too few rows before it, or lies after the next row.
    """
    window_bytes = preprocessing.seq_len * rows.scaled.itemsize * rows.scaled.shape[1]
    size = max(1, _CHUNK_BYTES // window_bytes)
    parts = [
        _forecast_chunk(
            forecast_windows, preprocessing, rows, origins[first : first + size], horizons
        )
        for first in range(0, len(origins), size)
    ]
    return np.concatenate(parts, axis=1)


def _forecast_chunk(
    forecast_windows: WindowForecaster,
    preprocessing: Preprocessing,
    rows: ModelRows,
    origins: range,
    horizons: int,
) -> FloatArray:
    span, scaler = preprocessing.smoothing, preprocessing.scaler
    smoothed = window_view(rows.scaled, origins, preprocessing.seq_len)
    plain = window_view(rows.scaled_log_roi, origins, plain_lags(preprocessing.seq_len))
    recent = window_view(rows.log_roi, origins, span)[:, 1:]
    cumulated = np.zeros((horizons, len(origins), rows.log_roi.shape[1]))
    total = np.zeros(cumulated.shape[1:])
    for step in range(horizons):
        forecast = forecast_windows(smoothed, plain)
        implied = implied_log_roi(scaler.inverse(forecast), recent.sum(axis=1), span)
        total = total + implied
        cumulated[step] = total
        smoothed = _append(smoothed, forecast)
        plain = _append(plain, scaler.transform_log_roi(implied))
        if span > 1:
            recent = np.concatenate([recent[:, 1:], implied[:, np.newaxis]], axis=1)
    return cumulated


def _append(windows: npt.NDArray[np.float32], newest: FloatArray) -> npt.NDArray[np.float32]:
    """Return the windows one row on, same shape."""
    return np.concatenate([windows[:, 1:], newest[:, np.newaxis].astype(np.float32)], axis=1)
