"""Scales to compare the shipped one with; each sees only rows before its target."""

from __future__ import annotations

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.forecaster.shrinkage import counted_log_roi

_EWMA_DECAY = 0.97
_HAR_SPANS = (1, 5, 22)
_MIN_MOVE = 0.0005


def constant_scale(dataset: Dataset) -> FloatArray:
    """Return a scale that never changes, shape (rows, assets)."""
    return np.ones(dataset.log_roi.shape)


def ewma_scale(dataset: Dataset) -> FloatArray:
    """Return the root of the exponentially weighted mean square (RiskMetrics), decay 0.97."""
    squares = counted_log_roi(dataset) ** 2
    scales = np.full(squares.shape, np.nan)
    state = np.nanmean(squares[: _HAR_SPANS[-1]], axis=0)
    for row, square in enumerate(squares):
        if row >= _HAR_SPANS[-1]:
            scales[row] = np.sqrt(state)
            state = np.where(
                np.isfinite(square), _EWMA_DECAY * state + (1 - _EWMA_DECAY) * square, state
            )
    return scales


def har_scale(dataset: Dataset, refits: list[int]) -> FloatArray:
    """Return HAR (Corsi, 2009) in logs: least squares on plain means over 1, 5 and 22 rows.

    Of the asset's own absolute log ROI and true range, pooled over assets; what is missing takes
    the mean over 22 rows.

    Args:
        dataset: The rows.
        refits: Rows before which it is fitted again, ascending.
    """
    moves = np.abs(counted_log_roi(dataset))
    columns = [
        np.log(_means_before(values, span) + _MIN_MOVE)
        for values in (moves, dataset.true_range)
        for span in _HAR_SPANS
    ]
    design = np.stack([np.ones(moves.shape), *columns], axis=-1)
    target = np.log(moves + _MIN_MOVE)
    usable = np.isfinite(target) & np.isfinite(design).all(axis=-1)
    usable[: _HAR_SPANS[-1]] = False
    scales = np.full(moves.shape, np.nan)
    for refit, until in zip(refits, [*refits[1:], len(moves)], strict=True):
        known = usable[:refit]
        weights, *_ = np.linalg.lstsq(design[:refit][known], target[:refit][known], rcond=None)
        scales[refit:until] = np.exp(design[refit:until] @ weights)
    return scales


def _means_before(values: FloatArray, span: int) -> FloatArray:
    """Return the mean of the last values before each row, shape (rows, assets)."""
    counted = np.isfinite(values)
    sums, counts = np.zeros((2, *values.shape))
    for lag in range(1, span + 1):
        sums[lag:] += np.where(counted, values, 0.0)[:-lag]
        counts[lag:] += counted[:-lag]
    means: FloatArray = np.divide(sums, counts, out=np.full(values.shape, np.nan), where=counts > 0)
    if span < _HAR_SPANS[-1]:
        longest = _means_before(values, _HAR_SPANS[-1])
        means[np.isnan(means)] = longest[np.isnan(means)]
    return means
