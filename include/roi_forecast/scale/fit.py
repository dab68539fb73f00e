"""The scale forecast: how far the next session's return may lie from its forecast.

A regression in logs, pooled over assets, on past absolute ROIs and true ranges at several
half-lives, in the manner of the HAR model (Corsi, 2009, "A Simple Approximate Long-Memory Model of
Realized Volatility", Journal of Financial Econometrics 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from roi_forecast.array_types import FloatArray
from roi_forecast.errors import TrainingError
from roi_forecast.features.movement import MIN_MOVE
from roi_forecast.features.rounding import beyond_rounding

PENALTY = 300.0
"""Of the squared slopes of standardised inputs; thousands of targets outweigh it, a few do not."""

_MAX_STEPS = 100
_TOLERANCE = 1e-9
_MIN_STEP = 1e-10
# A search over more pairs begins at the weights that every 13th of them gives.
_FEW_PAIRS = 5_000
_PAIRS_IN_ONE = 13
# Few enough for the processor's cache.
_PAIRS_AT_ONCE = 512


@dataclass(frozen=True)
class Scale:
    """Log scale = intercept + inputs times slopes.

    Attributes:
        intercept: Log of a log ROI.
        slopes: Shape (inputs,).
    """

    intercept: float
    slopes: FloatArray

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Return the expected absolute log ROI, shape (…), for inputs of shape (…, inputs)."""
        return np.asarray(np.exp(self.intercept + inputs @ self.slopes), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Return the weights as JSON values."""
        return {"intercept": self.intercept, "slopes": self.slopes.tolist()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        slopes = np.asarray(content["slopes"], dtype=np.float64)
        return cls(float(content["intercept"]), slopes)


def fit_scale(inputs: FloatArray, log_rois: FloatArray, penalty: float = PENALTY) -> Scale:
    """Fit by the likelihood of a Laplace distribution whose mean absolute deviation is the scale.

    Minimises the sum of log s + |r| / s over all counted entries, where |r| is at least
    MIN_MOVE, plus half of the penalty times
    the sum of the squared slopes of the standardised inputs. That is convex in the weights; Newton
    steps with step halving reach the minimum.

    Args:
        inputs: Shape (rows, assets, inputs).
        log_rois: Shape (rows, assets), unscaled; NaN where an entry does not count. Nothing but
            these rows is read.
        penalty: Of the squared slopes.

    Raises:
        TrainingError: No entry counts, or no price ever moved.
    """
    counted = np.isfinite(log_rois) & np.isfinite(inputs).all(axis=-1)
    moves, regressors = np.abs(log_rois[counted]), inputs[counted]
    require_moves(moves, log_rois.size)
    weights = fit_weights(np.column_stack([np.ones(len(moves)), regressors]), moves, penalty)
    return Scale(float(weights[0]), weights[1:])


def require_moves(moves: FloatArray, entries: int) -> None:
    """Refuse absolute log ROIs of which none is above 0.

    Raises:
        TrainingError: No entry counts, or no price ever moved.
    """
    if not moves.any():
        raise TrainingError(
            f"the scale cannot be fitted: of {entries} training entries {moves.size} count "
            "and no price moved on any; check the prices or take an earlier start_date"
        )


def fit_weights(design: FloatArray, moves: FloatArray, penalty: float) -> FloatArray:
    """Return the weights of the design's columns that `fit_scale` is after.

    A move below MIN_MOVE counts as that. Otherwise a price that stands still would reward ever
    smaller scales without end, and the one set of weights would owe that to all assets.

    The search begins where a few of the pairs lead to: the same pairs give the same weights,
    whatever was fitted before.

    Args:
        design: Ones, then the inputs, shape (pairs, 1 + inputs).
        moves: Absolute log ROIs, shape (pairs,), not all 0.
        penalty: Of the squared slopes of the standardised inputs.

    Returns:
        Shape (1 + inputs,).
    """
    # An input that does not vary gets no slope; how its constant is rounded must not count.
    means = design.mean(axis=0)
    deviations = design - means
    variances = np.einsum("ij,ij->j", deviations, deviations) / len(design)
    is_varied = beyond_rounding(np.sqrt(variances), np.abs(means))
    penalties = penalty * np.where(is_varied, variances, 1.0)
    penalties[0] = 0.0
    moves = np.maximum(moves, MIN_MOVE)
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(moves.mean())
    found = None
    if len(moves) > _FEW_PAIRS:
        few = slice(None, None, _PAIRS_IN_ONE)
        near = fit_weights(design[few].copy(), moves[few], penalty / _PAIRS_IN_ONE)
        of_near = _evaluate(design, moves, penalties, near)
        # Without slopes the loss is that of the mean move; the few must not lead away from it.
        if of_near[0] < len(moves) * (weights[0] + 1.0):
            weights, found = near, of_near
    loss, gradient, curvature = found or _evaluate(design, moves, penalties, weights)
    for _ in range(_MAX_STEPS):
        step = np.linalg.solve(curvature, gradient)
        if 0.5 * gradient @ step <= _TOLERANCE * len(moves):
            # What a Newton step leaves to gain is about the square of what it gained.
            return np.asarray(weights - step, dtype=np.float64)
        length = 1.0
        while True:
            nearer = weights - length * step
            found = _evaluate(design, moves, penalties, nearer)
            if found[0] <= loss:
                break
            length /= 2
            if length <= _MIN_STEP:
                return weights
        weights, (loss, gradient, curvature) = nearer, found
    return weights


def _evaluate(
    design: FloatArray, moves: FloatArray, penalties: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return the loss, its gradient and its second derivatives."""
    loss = float(0.5 * penalties @ weights**2)
    gradient, curvature = penalties * weights, np.diag(penalties)
    # A step too far gives an endless loss, and is taken back.
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, len(moves), _PAIRS_AT_ONCE):
            part = design[first : first + _PAIRS_AT_ONCE]
            logs = part @ weights
            ratios = moves[first : first + _PAIRS_AT_ONCE] * np.exp(-logs)
            loss += float((logs + ratios).sum())
            gradient = gradient + (1.0 - ratios) @ part
            curvature = curvature + (part * ratios[:, np.newaxis]).T @ part
    return loss, gradient, curvature
