"""Direct multi-step forecasts: for each horizon a ridge regression of the move to its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.config import MAX_HORIZON
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.features.windows import window_view
from roi_forecast.forecaster.recursive import ModelRows

FIRST_HORIZON = 2
"""The next session is forecast by the linear part and the network."""
PENALTY = 1.0
"""Of the sum of squared weights, in scaled units."""

# The moves over all horizons are built for this many assets at a time.
_ASSETS_AT_ONCE = 64


@dataclass(frozen=True)
class DirectRidge:
    """One set of lag weights for each horizon, for all assets.

    Attributes:
        weights: Shape (horizons, seq_len), of the horizons 2, 3, …: of the scaled plain log ROI,
            oldest lag first.
    """

    weights: FloatArray

    def predict(
        self, preprocessing: Preprocessing, rows: ModelRows, origins: range, horizons: int
    ) -> FloatArray:
        """Forecast the log ROI from the next session's close to those of 2, …, `horizons` sessions.

        Args:
            preprocessing: Of the version that the weights belong to.
            rows: Rows in time order, as the preprocessing made them.
            origins: Rows whose session is the first that is forecast; the last may be the row after
                the last. No row from an origin on takes part in its forecasts.
            horizons: The longest one.

        Returns:
            Shape (horizons - 1, origins, assets), unscaled.

        Raises:
            DatasetError: There are no weights for the longest horizon, or an origin has too few
                rows before it, or lies after the next row.
        """
        count = horizons - FIRST_HORIZON + 1
        if count > len(self.weights):
            raise DatasetError(
                f"there are direct forecasts up to {len(self.weights) + 1} sessions ahead; "
                f"received the horizon {horizons}"
            )
        scaler, seq_len = preprocessing.scaler, preprocessing.seq_len
        first = max(origins.start - seq_len, 0)
        scaled = scaler.transform_log_roi(rows.log_roi[first : origins.stop - 1])
        own = range(origins.start - first, origins.stop - first)
        # One product of matrices for each origin: the windows are views, never copied.
        forecast = (self.weights[:count] @ window_view(scaled, own, seq_len)).transpose(1, 0, 2)
        ahead = np.arange(1, horizons)[:, np.newaxis, np.newaxis]
        # In place: of thousands of assets one such array takes hundreds of megabytes.
        moves: FloatArray = np.divide(forecast, scaler.slope, out=forecast)
        moves += ahead * scaler.log_roi_mean
        return moves


def fit_direct(dataset: Dataset, penalty: float = PENALTY) -> DirectRidge:
    """Fit every horizon on the training rows, all assets together.

    Minimises the sum of squared errors of the move after the next session, less its training mean
    and in scaled units, plus `penalty` times the sum of squared weights, without an intercept. Only
    moves that end on a training row count, so no row after the last training target is read. A
    horizon without one forecasts the mean.

    Args:
        dataset: Gives the rows, the split and the scaler.
        penalty: Above 0.
    """
    train, seq_len = dataset.split.train, dataset.seq_len
    scaled = dataset.scaler.transform_log_roi(dataset.log_roi[: train.stop])
    horizons = range(FIRST_HORIZON, MAX_HORIZON + 1)
    gram = np.zeros((len(horizons), seq_len, seq_len))
    moment = np.zeros((len(horizons), seq_len))
    # One asset at a time: the design matrix of all would be seq_len times the rows.
    for asset in range(len(dataset.symbols)):
        lags = window_view(scaled[:, asset : asset + 1], train, seq_len)[..., 0]
        if asset % _ASSETS_AT_ONCE == 0:
            block = slice(asset, asset + _ASSETS_AT_ONCE)
            targets = np.stack([_scaled_moves(dataset, train, each, block) for each in horizons])
        own_targets = targets[..., asset % _ASSETS_AT_ONCE]
        counted = np.isfinite(own_targets)
        moment += np.where(counted, own_targets, 0.0) @ lags
        # The same for every horizon but for the few rows that do not count.
        whole = lags.T @ lags
        for number, left_out in enumerate(~counted):
            gram[number] += whole - lags[left_out].T @ lags[left_out]
    solution = np.linalg.solve(gram + penalty * np.eye(seq_len), moment[..., np.newaxis])
    return DirectRidge(solution[..., 0].astype(np.float64, copy=False))


def _scaled_moves(dataset: Dataset, train: range, horizon: int, assets: slice) -> FloatArray:
    """Return the centred moves after the next session in scaled units, (targets, assets)."""
    known, scaler = slice(train.start, train.stop), dataset.scaler
    log_rois = dataset.log_roi[known, assets]
    later = log_roi_ahead(log_rois, dataset.filled[known, assets], horizon) - log_rois
    mean = (horizon - 1) * scaler.log_roi_mean[assets]
    scaled: FloatArray = (later - mean) * scaler.slope[assets]
    return scaled
