"""Pooled ridge regression on an asset's own lags: the network's warm start and its baseline.

The idea of a linear autoregressive part next to the network is LSTNet's (Lai, Chang, Yang and Liu,
2018, "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks", section 3.6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import DatasetError, TrainingError
from roi_forecast.features.dataset import Dataset
from roi_forecast.network.inputs import SCALED, SCALED_LOG_ROI, model_inputs, plain_lags


@dataclass(frozen=True)
class Ridge:
    """One set of lag weights for all assets.

    Attributes:
        center: Mean scaled smoothed log ROI of the training rows, shape (assets,).
        smoothed_weights: Weights of the centred scaled smoothed log ROI, shape (seq_len,), oldest
            lag first.
        plain_weights: Weights of the scaled plain log ROI, shape (plain lags,), oldest lag first.
    """

    center: FloatArray
    smoothed_weights: FloatArray
    plain_weights: FloatArray

    def predict(
        self,
        scaled: npt.NDArray[np.floating],
        scaled_log_roi: npt.NDArray[np.floating],
        targets: range,
    ) -> FloatArray:
        """Predict the scaled smoothed log ROI of consecutive target rows.

        Args:
            scaled: Scaled smoothed log ROI, shape (rows, assets).
            scaled_log_roi: Scaled plain log ROI, same shape.
            targets: Target rows, from seq_len to rows; `rows` is the session after the last row.
                No row at or after a target takes part in its prediction.

        Returns:
            Shape (targets, assets), scaled.

        Raises:
            DatasetError: The arrays' shapes differ from each other or from the fitted assets, or a
                target lies out of range.
        """
        if scaled.shape != scaled_log_roi.shape or scaled.shape[1:] != self.center.shape:
            raise DatasetError(
                f"ridge was fitted on {len(self.center)} assets; received arrays of shape "
                f"{scaled.shape} and {scaled_log_roi.shape}"
            )
        windows = model_inputs(scaled, scaled_log_roi, targets, len(self.smoothed_weights))
        return self.forecast_windows(windows[SCALED], windows[SCALED_LOG_ROI])

    def forecast_windows(
        self, scaled: npt.NDArray[np.floating], scaled_log_roi: npt.NDArray[np.floating]
    ) -> FloatArray:
        """Predict the session after each window.

        Args:
            scaled: Scaled smoothed log ROI, shape (windows, seq_len, assets).
            scaled_log_roi: Scaled plain log ROI, shape (windows, plain lags, assets).

        Returns:
            Shape (windows, assets), the scaled smoothed log ROI.
        """
        # The center is taken off after the sums, so that no copy of the windows is made.
        smoothed = np.einsum("wla,l->wa", scaled, self.smoothed_weights)
        plain = np.einsum("wla,l->wa", scaled_log_roi, self.plain_weights)
        prediction: FloatArray = smoothed + plain + self.center * (1 - self.smoothed_weights.sum())
        return prediction


def fit_ridge(dataset: Dataset, penalty: float) -> Ridge:
    """Fit ridge regression on the training targets of all assets together.

    Minimises the sum of squared errors of the centred scaled target plus `penalty` times the sum of
    squared weights, without an intercept. Filled targets do not count. No row after the last
    training target is read.

    Args:
        dataset: Gives the rows, the split and the scaler's center.
        penalty: Above 0; not divided by the number of targets.

    Raises:
        TrainingError: The penalty is not above 0, or every training target is filled.
    """
    if not penalty > 0:
        raise TrainingError(f"ridge_penalty: received {penalty!r}; allowed is a number above 0")
    train, seq_len = dataset.split.train, dataset.seq_len
    lags = plain_lags(seq_len)
    known = slice(train.start - seq_len, train.stop)
    # Assets first, so that each asset's series is contiguous in memory.
    smoothed = np.subtract(dataset.scaled[known], dataset.scaler.center, dtype=np.float64).T.copy()
    plain = dataset.scaled_log_roi[known].T.astype(np.float64, order="C")
    counted = ~dataset.filled[train.start : train.stop].T

    gram = np.zeros((seq_len + lags, seq_len + lags))
    moment = np.zeros(seq_len + lags)
    # One asset at a time: the design matrix of all assets, which scikit-learn would need, takes
    # seq_len times the memory of the dataset.
    for own_smoothed, own_plain, own_counted in zip(smoothed, plain, counted, strict=True):
        design = np.concatenate(
            [
                sliding_window_view(own_smoothed, seq_len)[:-1],
                sliding_window_view(own_plain[seq_len - lags :], lags)[:-1],
            ],
            axis=1,
        )[own_counted]
        gram += design.T @ design
        moment += design.T @ own_smoothed[seq_len:][own_counted]
    if not counted.any():
        raise TrainingError(
            "no training target is left: every asset is filled on every training row; "
            "check the prices or choose an earlier start_date"
        )
    solution = np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)
    weights = np.asarray(solution, dtype=np.float64)
    return Ridge(dataset.scaler.center.copy(), weights[:seq_len], weights[seq_len:])
