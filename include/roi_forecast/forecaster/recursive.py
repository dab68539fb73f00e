"""Recursive multi-step forecasts: each step's forecast becomes an input of the next one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import implied_log_roi
from roi_forecast.features.windows import require_windows, window_view

_CHUNK_BYTES = 64 * 2**20


class WindowForecaster(Protocol):
    """Forecasts one session ahead; a `Predictor` is one."""

    def project(self, rows: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """Return what it makes of each row by itself, shape (…, features).

        Args:
            rows: Of the network's inputs, shape (…, assets + context assets).
        """

    def forecast_windows(
        self, windows: npt.NDArray[np.float32], baseline: FloatArray, /
    ) -> FloatArray:
        """Return the scaled smoothed log ROI of the session after each window.

        Args:
            windows: Of projected rows, shape (windows, seq_len, features).
            baseline: Of that session, shape (windows, assets).

        Returns:
            Shape (windows, assets).
        """


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
    forecaster: WindowForecaster,
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
        forecaster: Forecasts one session ahead.
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
    # A window a session on has all rows but one in common, and each step adds one row.
    seq_len = preprocessing.seq_len
    require_windows(len(rows.inputs), origins, seq_len)
    projected = forecaster.project(rows.inputs[origins.start - seq_len : origins.stop - 1])
    window_bytes = seq_len * projected.itemsize * projected.shape[1]
    size = max(1, _CHUNK_BYTES // window_bytes)
    parts = [
        _forecast_chunk(
            forecaster,
            preprocessing,
            projected[first : first + size + seq_len - 1],
            rows.inputs.shape[1],
            rows.log_roi,
            published[first : first + size],
            origins[first : first + size],
            horizons,
        )
        for first in range(0, len(origins), size)
    ]
    return np.concatenate(parts, axis=1)


def _forecast_chunk(
    forecaster: WindowForecaster,
    preprocessing: Preprocessing,
    projected: npt.NDArray[np.float32],
    columns: int,
    log_roi: FloatArray,
    expected: FloatArray,
    origins: range,
    horizons: int,
) -> FloatArray:
    span, scaler = preprocessing.smoothing, preprocessing.scaler
    recent = window_view(log_roi, origins, span)[:, 1:]
    own = range(preprocessing.seq_len, preprocessing.seq_len + len(origins))
    windows = window_view(projected, own, preprocessing.seq_len)
    cumulated = np.zeros((horizons, len(origins), log_roi.shape[1]))
    total = np.zeros(cumulated.shape[1:])
    for step in range(horizons):
        known = recent.sum(axis=1)
        baseline = scaler.transform((known + expected) / span)
        forecast = forecaster.forecast_windows(windows, baseline)
        implied = implied_log_roi(scaler.inverse(forecast), known, span)
        total = total + implied
        cumulated[step] = total
        if step + 1 == horizons:
            break
        # Without a context move.
        row = np.zeros((len(windows), 1, columns), np.float32)
        row[:, 0, : forecast.shape[1]] = forecast
        windows = np.concatenate([windows[:, 1:], forecaster.project(row)], axis=1)
        expected = np.zeros_like(expected)
        if span > 1:
            recent = np.concatenate([recent[:, 1:], implied[:, np.newaxis]], axis=1)
    return cumulated
