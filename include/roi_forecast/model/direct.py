"""Direct multi-step forecasts: for each horizon a ridge regression of the move to its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roi_forecast.config import LONGEST_HORIZON
from roi_forecast.errors import DatasetError
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.preprocessing import Preprocessing
from roi_forecast.features.returns import log_roi_ahead
from roi_forecast.features.windows import window_view
from roi_forecast.model.inputs import plain_lags
from roi_forecast.model.recursive import ModelRows

FloatArray = npt.NDArray[np.float64]

FIRST_HORIZON = 2
"""The next session is the network's own business."""


@dataclass(frozen=True)
class DirectRidge:
    """One set of lag weights for each horizon, for all assets.

    Attributes:
        weights: Shape (horizons, seq_len + plain lags), of the horizons 2, 3, …: first of the
            centred scaled smoothed log ROI, then of the scaled plain log ROI, oldest lag first.
    """

    weights: FloatArray

    def predict(
        self, preprocessing: Preprocessing, rows: ModelRows, origins: range, horizons: int
    ) -> FloatArray:
        """Forecast the log ROI cumulated over 2, …, `horizons` sessions from each origin on.

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
        forecast = np.zeros((count, len(origins), len(scaler.center)))
        weights = self.weights[:count, ::-1]
        for series, first, lags in (
            (rows.scaled_log_roi, 0, plain_lags(seq_len)),
            (rows.scaled - scaler.center, plain_lags(seq_len), seq_len),
        ):
            window_view(series, origins, lags)  # refuses origins without enough rows
            for lag in range(1, lags + 1):
                known = series[origins.start - lag : origins.stop - lag]
                forecast += weights[:, first + lag - 1, np.newaxis, np.newaxis] * known
        ahead = np.arange(FIRST_HORIZON, horizons + 1)[:, np.newaxis, np.newaxis]
        cumulated: FloatArray = forecast / scaler.slope + ahead * scaler.log_roi_mean
        return cumulated


def fit_direct(dataset: Dataset, penalty: float) -> DirectRidge:
    """Fit every horizon on the training rows, all assets together.

    Minimises the sum of squared errors of the log ROI ahead, less its training mean and in scaled
    units, plus `penalty` times the sum of squared weights, without an intercept. Only moves that
    end on a training row count, so no row after the last training target is read. A horizon without
    one forecasts the mean.

    Args:
        dataset: Gives the rows, the split and the scaler.
        penalty: Above 0.
    """
    train, seq_len = dataset.split.train, dataset.seq_len
    plain = plain_lags(seq_len)
    smoothed = (dataset.scaled[: train.stop] - dataset.scaler.center).astype(np.float64)
    scaled_log_roi = dataset.scaled_log_roi[: train.stop].astype(np.float64)
    horizons = range(FIRST_HORIZON, LONGEST_HORIZON + 1)
    targets = np.stack([_scaled_ahead(dataset, train, horizon) for horizon in horizons])
    gram = np.zeros((len(horizons), seq_len + plain, seq_len + plain))
    moment = np.zeros((len(horizons), seq_len + plain))
    # One asset at a time: the design matrix of all would be seq_len times the rows.
    for asset in range(len(dataset.symbols)):
        own = slice(asset, asset + 1)
        lags = np.concatenate(
            [
                window_view(smoothed[:, own], train, seq_len)[..., 0],
                window_view(scaled_log_roi[:, own], train, plain)[..., 0],
            ],
            axis=1,
        )
        own_targets = targets[..., asset]
        counted = np.isfinite(own_targets)
        moment += np.where(counted, own_targets, 0.0) @ lags
        # The same for every horizon but for the few rows that do not count.
        whole = lags.T @ lags
        for number, left_out in enumerate(~counted):
            gram[number] += whole - lags[left_out].T @ lags[left_out]
    solution = np.linalg.solve(gram + penalty * np.eye(seq_len + plain), moment[..., np.newaxis])
    return DirectRidge(solution[..., 0].astype(np.float64, copy=False))


def _scaled_ahead(dataset: Dataset, train: range, horizon: int) -> FloatArray:
    """Return the centred log ROI ahead of the training targets in scaled units, same shape."""
    log_rois, filled = dataset.log_roi[: train.stop], dataset.filled[: train.stop]
    ahead = log_roi_ahead(log_rois, filled, horizon)[train.start :]
    scaled: FloatArray = (ahead - horizon * dataset.scaler.log_roi_mean) * dataset.scaler.slope
    return scaled
