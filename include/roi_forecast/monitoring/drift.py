"""Whether an asset moves differently than in the rows on which a model was trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.features.movement import MIN_MOVING_SHARE
from roi_forecast.features.rounding import beyond_rounding

_MIN_WINDOWS = 3
"""The training rows must hold this many windows side by side."""


@dataclass(frozen=True)
class Drift:
    """The newest window of one asset against its training rows.

    The limits come from earlier windows: each window of the training rows, of the same length, is
    compared with the other training rows in the same way. A single asset has few such windows, so
    those of all assets count too: drift is beyond the limits of both.

    Attributes:
        wasserstein: Distance between the distributions of the log ROI, in standard deviations of
            the training rows.
        wasserstein_limit: Distance that the chosen fraction of earlier windows does not exceed.
        wasserstein_percentile: Fraction of the earlier windows of all assets that are closer.
        scale_ratio: Standard deviation of the newest window over that of the training rows.
        scale_ratio_low: Ratio that the chosen fraction of earlier windows, divided between both
            sides, does not fall below.
        scale_ratio_high: Ratio that they do not exceed.
    """

    wasserstein: float
    wasserstein_limit: float
    wasserstein_percentile: float
    scale_ratio: float
    scale_ratio_low: float
    scale_ratio_high: float

    @property
    def drifting(self) -> bool:
        """Whether the newest window is beyond the limits."""
        usual = self.scale_ratio_low <= self.scale_ratio <= self.scale_ratio_high
        return self.wasserstein > self.wasserstein_limit or not usual


@dataclass(frozen=True)
class _Windows:
    """Distances and scale ratios of the newest window, first, and of the earlier ones."""

    distances: FloatArray
    ratios: FloatArray


def measure_drift(
    training: FloatArray, newest: FloatArray, percentile: float
) -> tuple[Drift | None, ...]:
    """Compare the newest rows of each asset with its training rows.

    Args:
        training: Log ROI of the training rows, in time order, shape (rows, assets); NaN where the
            asset had no bar.
        newest: Log ROI of the newest rows, shape (newest rows, assets); NaN likewise.
        percentile: Fraction of earlier windows that a drifting one exceeds.

    Returns:
        One entry for each asset; None if its training rows are too few for three windows, or its
        price moves on too few of them.
    """
    measured = [
        _measure(before[np.isfinite(before)], now[np.isfinite(now)])
        for before, now in zip(training.T, newest.T, strict=True)
    ]
    known = [windows for windows in measured if windows is not None]
    if not known:
        return (None,) * len(measured)
    of_all = _Windows(
        np.concatenate([windows.distances[1:] for windows in known]),
        np.concatenate([windows.ratios[1:] for windows in known]),
    )
    sides = ((1 - percentile) / 2, (1 + percentile) / 2)
    limit = np.quantile(of_all.distances, percentile)
    low, high = np.quantile(of_all.ratios, sides)

    def compare(windows: _Windows) -> Drift:
        distance, ratio = windows.distances[0], windows.ratios[0]
        own_low, own_high = np.quantile(windows.ratios[1:], sides)
        return Drift(
            wasserstein=float(distance),
            wasserstein_limit=float(max(limit, np.quantile(windows.distances[1:], percentile))),
            wasserstein_percentile=float((of_all.distances < distance).mean()),
            scale_ratio=float(ratio),
            scale_ratio_low=float(min(low, own_low)),
            scale_ratio_high=float(max(high, own_high)),
        )

    return tuple(None if windows is None else compare(windows) for windows in measured)


def wasserstein_distances(values: FloatArray, members: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the 1-Wasserstein distance between the values inside and outside each set.

    It is the area between the two empirical distribution functions.
    Source: Vallender, 1974, "Calculation of the Wasserstein Distance Between Probability
    Distributions on the Line".

    Args:
        values: Shape (rows,).
        members: Rows of each set, shape (sets, rows); no set is empty or holds all rows.

    Returns:
        Shape (sets,), in the unit of the values.
    """
    order = np.argsort(values)
    rows, sizes = len(values), members.sum(axis=1, keepdims=True)
    # Numbers of values inside and outside the set, up to each value in ascending order.
    inside = members[:, order].cumsum(axis=1, dtype=np.int32)[:, :-1]
    outside = np.arange(1, rows) - inside
    gaps = np.abs(inside / sizes - outside / (rows - sizes))
    distances: FloatArray = gaps @ np.diff(values[order])
    return distances


def _measure(training: FloatArray, newest: FloatArray) -> _Windows | None:
    rows, length = len(training), len(newest)
    if length < 2 or rows < _MIN_WINDOWS * length:
        return None
    # The spread of a still price is chance, and its windows would count for all assets.
    moves = beyond_rounding(np.abs(training - np.median(training)), np.abs(training).max())
    if moves.mean() < MIN_MOVING_SHARE:
        return None
    together = np.concatenate([training, newest])
    is_newest = (np.arange(rows + length) >= rows)[np.newaxis]
    starts = np.arange(0, rows - length + 1, max(1, length // 6))[:, np.newaxis]
    places = np.arange(rows)
    earlier = (places >= starts) & (places < starts + length)
    compared = ((together, is_newest), (training, earlier))
    distances = np.concatenate([wasserstein_distances(*windows) for windows in compared])
    ratios = np.concatenate([_scale_ratios(*windows) for windows in compared])
    return _Windows(distances / float(training.std()), ratios)


def _scale_ratios(values: FloatArray, members: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the standard deviation inside over that outside each set, shape (sets,).

    A set holds at most a third of the rows and most rows move, so the rows outside always vary.
    """
    return _deviations(values, members) / _deviations(values, ~members)


def _deviations(values: FloatArray, members: npt.NDArray[np.bool_]) -> FloatArray:
    centred = values - values.mean()
    counts = members.sum(axis=1)
    means = members @ centred / counts
    deviations: FloatArray = np.sqrt(np.maximum(members @ centred**2 / counts - means**2, 0.0))
    return deviations
