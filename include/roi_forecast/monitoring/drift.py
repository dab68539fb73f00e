"""Whether an asset moves otherwise than in the rows a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.features.movement import MIN_MOVING_SHARE
from roi_forecast.features.rounding import beyond_rounding

_MIN_WINDOWS = 3
"""So many windows must fit into the training rows side by side."""


@dataclass(frozen=True)
class Drift:
    """The newest window of one asset against its training rows.

    What is usual is told by earlier windows: each one of the training rows, of the same length, is
    held against the other training rows in the same way. Single assets have few such windows, so
    those of all assets count as well: a limit is passed where both are.

    Attributes:
        wasserstein: Distance between the distributions of the log ROI, in standard deviations of
            the training rows.
        wasserstein_limit: What the chosen share of earlier windows did not exceed.
        wasserstein_percentile: Share of the earlier windows of all assets that lay closer.
        scale_ratio: Standard deviation of the newest window over that of the training rows.
        scale_ratio_low: What the chosen share of earlier windows, split over both sides, did not
            fall below.
        scale_ratio_high: What they did not exceed.
    """

    wasserstein: float
    wasserstein_limit: float
    wasserstein_percentile: float
    scale_ratio: float
    scale_ratio_low: float
    scale_ratio_high: float

    @property
    def drifting(self) -> bool:
        """Whether the newest window lies outside of what is usual."""
        usual = self.scale_ratio_low <= self.scale_ratio <= self.scale_ratio_high
        return self.wasserstein > self.wasserstein_limit or not usual


@dataclass(frozen=True)
class _Measured:
    """Distance and scale ratio of the newest window, and of the earlier ones."""

    distance: float
    ratio: float
    usual_distances: FloatArray
    usual_ratios: FloatArray


def measure_drift(
    training: FloatArray, newest: FloatArray, percentile: float
) -> tuple[Drift | None, ...]:
    """Compare the newest rows of each asset with its training rows.

    Args:
        training: Log ROI of the training rows, in time order, shape (rows, assets); NaN where the
            asset had no bar.
        newest: Log ROI of the newest rows, shape (newest rows, assets), likewise.
        percentile: Share of earlier windows that the newest has to exceed to count as drifting.

    Returns:
        One entry for each asset; None where three windows do not fit into its training rows, or
        its price moves on too few of them.
    """
    measured = [
        _measure(before[np.isfinite(before)], now[np.isfinite(now)])
        for before, now in zip(training.T, newest.T, strict=True)
    ]
    known = [each for each in measured if each is not None]
    if not known:
        return (None,) * len(measured)
    distances = np.concatenate([each.usual_distances for each in known])
    ratios = np.concatenate([each.usual_ratios for each in known])
    sides = ((1 - percentile) / 2, (1 + percentile) / 2)
    low, high = np.quantile(ratios, sides)
    return tuple(
        None
        if each is None
        else Drift(
            wasserstein=each.distance,
            wasserstein_limit=max(
                float(np.quantile(known, percentile)) for known in (each.usual_distances, distances)
            ),
            wasserstein_percentile=float((distances < each.distance).mean()),
            scale_ratio=each.ratio,
            scale_ratio_low=float(min(low, np.quantile(each.usual_ratios, sides[0]))),
            scale_ratio_high=float(max(high, np.quantile(each.usual_ratios, sides[1]))),
        )
        for each in measured
    )


def wasserstein_distances(values: FloatArray, members: BoolArray) -> FloatArray:
    """Return the 1-Wasserstein distance between the values in a set and those outside of it.

    The area between the two empirical distribution functions.
    Source: Vallender, 1974, "Calculation of the Wasserstein Distance Between Probability
    Distributions on the Line".

    Args:
        values: Shape (rows,).
        members: Which rows are in each set, shape (sets, rows); no set is empty or holds all.

    Returns:
        Shape (sets,), in the unit of the values.
    """
    order = np.argsort(values)
    rows, sizes = len(values), members.sum(axis=1, keepdims=True)
    # Up to each value in rising order: how many lie in the set, and so how many outside.
    inside = members[:, order].cumsum(axis=1, dtype=np.int32)[:, :-1]
    outside = np.arange(1, rows) - inside
    distances: FloatArray = np.abs(inside / sizes - outside / (rows - sizes)) @ np.diff(
        values[order]
    )
    return distances


def _measure(training: FloatArray, newest: FloatArray) -> _Measured | None:
    length = len(newest)
    if length < 2 or len(training) < _MIN_WINDOWS * length:
        return None
    # The spread of a price that stands still is chance, and its windows would count for all assets.
    moves = beyond_rounding(np.abs(training - np.median(training)), np.abs(training).max())
    if moves.mean() < MIN_MOVING_SHARE:
        return None
    spread = float(training.std())
    members = _sliding_members(len(training), length)
    together = np.concatenate([training, newest])
    last = (np.arange(len(together)) >= len(training))[np.newaxis]
    return _Measured(
        distance=float(wasserstein_distances(together, last)[0]) / spread,
        ratio=float(_scale_ratios(together, last)[0]),
        usual_distances=wasserstein_distances(training, members) / spread,
        usual_ratios=_scale_ratios(training, members),
    )


def _sliding_members(rows: int, length: int) -> BoolArray:
    starts = np.arange(0, rows - length + 1, max(1, length // 6))[:, np.newaxis]
    places = np.arange(rows)
    members: BoolArray = (places >= starts) & (places < starts + length)
    return members


def _scale_ratios(values: FloatArray, members: BoolArray) -> FloatArray:
    """Return the deviation inside of each set over that outside, shape (sets,).

    No set holds a third of the rows and most rows move, so that those outside always vary.
    """
    return _deviations(values, members) / _deviations(values, ~members)


def _deviations(values: FloatArray, members: BoolArray) -> FloatArray:
    centred = values - values.mean()
    counts = members.sum(axis=1)
    means = members @ centred / counts
    deviations: FloatArray = np.sqrt(np.maximum(members @ centred**2 / counts - means**2, 0.0))
    return deviations
