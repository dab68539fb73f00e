"""LightGBM quantile regression, pooled over assets, on what the model sees: context included."""

from __future__ import annotations

import os
from collections.abc import Sequence

import lightgbm
import numpy as np
from interval_peers import ewma_scale
from peers import PeerForecasts, no_forecasts, parts_of

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.conformal import LEVELS
from roi_forecast.forecaster.shrinkage import counted_log_roi
from roi_forecast.scale.inputs import scale_inputs

_LAGS = 5
_SPANS = (22, 60)
_TREES = 100
# Nothing was tuned on the rows of the benchmark: small trees, many rows in a leaf.
_SETTINGS = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "num_threads": os.cpu_count(),
}


def lightgbm_quantiles(dataset: Dataset, refits: Sequence[int]) -> PeerForecasts:
    """Boosted trees (Ke et al., 2017) for the mean and for each bound, in units of a scale.

    The unit is the root of the exponentially weighted mean square, known before the row.
    """
    point, bounds = no_forecasts(dataset)
    scale = ewma_scale(dataset)
    inputs = peer_inputs(dataset, scale)
    target = counted_log_roi(dataset) / scale
    usable = np.isfinite(target)
    shares = [0.5 + side * level / 2 for level in LEVELS for side in (-1, 1)]
    for part in parts_of(refits, len(dataset.dates)):
        known, rows = usable[: part.start], slice(part.start, part.stop)
        lengths = inputs.shape[-1]
        data = lightgbm.Dataset(
            inputs[: part.start][known],
            target[: part.start][known],
            categorical_feature=[lengths - 1],
            params=_SETTINGS,
        )
        wanted = inputs[rows].reshape(-1, lengths)

        def fitted(objective: dict[str, object], data=data, wanted=wanted, rows=rows) -> FloatArray:
            booster = lightgbm.train({**_SETTINGS, **objective}, data, _TREES)
            return np.asarray(booster.predict(wanted)).reshape(scale[rows].shape) * scale[rows]

        point[rows] = fitted({"objective": "regression"})
        quantiles = [fitted({"objective": "quantile", "alpha": share}) for share in shares]
        together = np.stack(quantiles).reshape(len(LEVELS), 2, *scale[rows].shape)
        # Each quantile is fitted by itself, so that two may cross.
        bounds[:, :, rows] = np.sort(together, axis=1)
    return PeerForecasts(point, bounds)


def peer_inputs(dataset: Dataset, scale: FloatArray) -> FloatArray:
    """Return what is known before each row, shape (rows, assets, inputs); the last is the asset.

    Context moves, the own last log ROIs, their sums and their parts before and after the opening,
    those of the equal-weighted market, today's volume against its usual, and the inputs of the
    interval scale.

    Args:
        dataset: The rows.
        scale: Known before each row, shape (rows, assets), log ROI.
    """
    rows, assets = dataset.log_roi.shape
    moves = dataset.log_roi
    opened = dataset.gap
    volume = np.log(np.where(dataset.volume > 0, dataset.volume, np.nan))
    own = [_before(moves, lag) / scale for lag in range(1, _LAGS + 1)]
    own += [_sum_before(moves, span) / scale / np.sqrt(span) for span in _SPANS]
    own += [_before(opened, 1) / scale, _before(moves - opened, 1) / scale]
    own += [_before(volume, 1) - _mean_before(volume, _SPANS[0])]
    market = (moves / np.nan_to_num(scale, nan=1.0)).mean(axis=1, keepdims=True)
    common = [_before(market, 1), _sum_before(market, _LAGS)]
    context = _before(dataset.context, 1)
    common += [context[:, [column]] for column in range(context.shape[1])]
    if context.shape[1]:
        common.append(context.mean(axis=1, keepdims=True))
    everywhere = np.meshgrid(np.arange(rows), np.arange(assets), indexing="ij")
    columns = [*own, *(np.broadcast_to(each, moves.shape) for each in common), everywhere[1]]
    return np.concatenate(
        [scale_inputs(dataset).at(*everywhere), np.stack(columns, axis=-1)], axis=-1
    )


def _before(values: FloatArray, lag: int) -> FloatArray:
    """Return the values so many rows before each row, NaN where there is none."""
    found = np.full(values.shape, np.nan)
    found[lag:] = values[:-lag]
    return found


def _sum_before(values: FloatArray, span: int) -> FloatArray:
    return np.sum([_before(values, lag) for lag in range(1, span + 1)], axis=0)


def _mean_before(values: FloatArray, span: int) -> FloatArray:
    """Return the mean of the known values of the rows before each row."""
    lagged = np.stack([_before(values, lag) for lag in range(1, span + 1)])
    counts = np.isfinite(lagged).sum(axis=0)
    sums = np.nansum(lagged, axis=0)
    return np.divide(sums, counts, out=np.full(values.shape, np.nan), where=counts > 0)
