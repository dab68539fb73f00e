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
import numpy.typing as npt

from roi_forecast.errors import TrainingError

FloatArray = npt.NDArray[np.float64]

PENALTY = 300.0
"""Of the squared slopes of standardised inputs; thousands of targets outweigh it, a few do not."""

_MOST_STEPS = 100
_TOLERANCE = 1e-10


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

    Minimises the sum of log s + |r| / s over all counted entries, plus half of the penalty times
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
    if not moves.any():
        raise TrainingError(
            f"the scale cannot be fitted: of {log_rois.size} training entries {moves.size} count "
            "and no price moved on any; check the prices or take an earlier start_date"
        )
    center, spread = regressors.mean(axis=0), regressors.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(moves)), (regressors - center) / spread])
    penalties = np.full(design.shape[1], penalty)
    penalties[0] = 0.0
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(moves.mean())
    weights = _minimise(design, moves, penalties, weights)
    slopes = weights[1:] / spread
    return Scale(float(weights[0] - slopes @ center), slopes)


def _minimise(
    design: FloatArray, moves: FloatArray, penalties: FloatArray, weights: FloatArray
) -> FloatArray:
    def loss(candidate: FloatArray) -> float:
        logs = design @ candidate
        return float((logs + moves * np.exp(-logs)).sum() + 0.5 * (penalties * candidate**2).sum())

    current = loss(weights)
    for _ in range(_MOST_STEPS):
        ratios = moves * np.exp(-design @ weights)
        gradient = design.T @ (1.0 - ratios) + penalties * weights
        curvature = (design * ratios[:, np.newaxis]).T @ design + np.diag(penalties)
        step = np.linalg.solve(curvature, gradient)
        length = 1.0
        while length > _TOLERANCE and not loss(weights - length * step) <= current:
            length /= 2
        if length <= _TOLERANCE:
            break
        weights = weights - length * step
        gained, current = current, loss(weights)
        if gained - current <= _TOLERANCE * len(moves):
            break
    return weights
