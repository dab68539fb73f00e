"""Recursive multi-step forecasts: each step's forecast becomes an input of the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import implied_log_roi
from roi_forecast.features.windows import window_view

WindowForecaster = Callable[[npt.NDArray[np.float32], FloatArray], FloatArray]
"""Takes windows of the network's inputs, shape (windows, seq_len, assets + context assets), and the
baseline of the session after each, shape (windows, assets); returns the scaled smoothed log ROI of
that session, same shape."""

_CHUNK_BYTES = 64 * 2**20


class ModelRows(Protocol):
    """Rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def log_roi(self) -> FloatArray:
        """Plain log ROI, unscaled."""

    @property
    def filled(self) -> BoolArray:
        """Whether the asset had no bar."""

    @property
    def inputs(self) -> npt.NDArray[np.float32]:
        """Scaled smoothed log ROI, then scaled context moves."""


def forecast_recursively(
    forecast_windows: WindowForecaster,
    preprocessing: Preprocessing,
    rows: ModelRows,
    published: FloatArray,
    origins: range,
    horizons: int,
) -> FloatArray:
    """Forecast the log ROI cumulated over 1, …, `horizons` sessions, one step after the other.

    A step forecasts the smoothed log ROI s. The log ROI it implies is smoothing * s less the sum of
    the smoothing - 1 before it; s itself becomes the newest row of the next step's window. Beyond
    the next session no context move and no log ROI is expected, so the baseline is what is known.

    Args:
        forecast_windows: Forecasts one session ahead.
        preprocessing: The forecaster's own; its scaler leads from s to a log ROI and back.
        rows: Rows in time order, as the preprocessing made them.
        published: The linear part's log ROI of the origins, shape (origins, assets).
        origins: Rows whose session is the first that is forecast; the last may be the row after the
            last. No row from an origin on takes part in its forecasts.
        horizons: Steps.

    Returns:
        Shape (horizons, origins, assets), unscaled.

    Raises:
        DatasetError: An origin has too few rows before it, or lies after the next row.
    """
    inputs = rows.inputs
    window_bytes = preprocessing.seq_len * inputs.itemsize * inputs.shape[1]
    size = max(1, _CHUNK_BYTES // window_bytes)
    parts = [
        _forecast_chunk(
            forecast_windows,
            preprocessing,
            inputs,
            rows.log_roi,
            published[first : first + size],
            origins[first : first + size],
            horizons,
        )
        for first in range(0, len(origins), size)
    ]
    return np.concatenate(parts, axis=1)


def _forecast_chunk(
    forecast_windows: WindowForecaster,
    preprocessing: Preprocessing,
    inputs: npt.NDArray[np.float32],
    log_roi: FloatArray,
    expected: FloatArray,
    origins: range,
    horizons: int,
) -> FloatArray:
    span, scaler = preprocessing.smoothing, preprocessing.scaler
    windows = window_view(inputs, origins, preprocessing.seq_len)
    recent = window_view(log_roi, origins, span)[:, 1:]
    cumulated = np.zeros((horizons, len(origins), log_roi.shape[1]))
    total = np.zeros(cumulated.shape[1:])
    for step in range(horizons):
        known = recent.sum(axis=1)
        forecast = forecast_windows(windows, scaler.transform((known + expected) / span))
        implied = implied_log_roi(scaler.inverse(forecast), known, span)
        total = total + implied
        cumulated[step] = total
        windows = _append(windows, forecast)
        expected = np.zeros_like(expected)
        if span > 1:
            recent = np.concatenate([recent[:, 1:], implied[:, np.newaxis]], axis=1)
    return cumulated


def _append(windows: npt.NDArray[np.float32], newest: FloatArray) -> npt.NDArray[np.float32]:
    """Return the windows one row on, same shape, without a context move in the new row."""
    row = np.zeros((len(windows), 1, windows.shape[2]), np.float32)
    row[:, 0, : newest.shape[1]] = newest
    return np.concatenate([windows[:, 1:], row], axis=1)
