"""What is published for the next session: the implied log ROI, shrunk, with its interval.

The smoothed target is mostly known, so a good forecast of it says little about the next session.
The log ROI it implies is shrunk towards zero by the factor that fits best on validation rows, and
the interval around it comes from the residuals on those rows (split conformal prediction: Lei et
al. 2018), for each asset by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from roi_forecast.errors import EvaluationError
from roi_forecast.features.scaling import FloatArray

LEVELS = (0.80, 0.95)


@dataclass(frozen=True)
class NextDayCalibration:
    """How an implied log ROI becomes a published forecast.

    Attributes:
        shrinkage: Factor from 0 (no skill: forecast zero) to 1 (take the implied value).
        half_width_80: Half the width of the 80 % interval, shape (assets,), log ROI.
        half_width_95: The same at 95 %.
    """

    shrinkage: float
    half_width_80: FloatArray
    half_width_95: FloatArray

    @classmethod
    def fit(cls, implied: FloatArray, actual: FloatArray) -> Self:
        """Fit on validation rows.

        Args:
            implied: Implied log ROI of the validation targets, shape (targets, assets), unscaled.
            actual: What came, same shape; NaN where an entry does not count.

        Raises:
            EvaluationError: An asset has no counted entry.
        """
        counted = np.isfinite(actual)
        if not counted.any(axis=0).all():
            raise EvaluationError(
                "an asset has no bar on any validation session; "
                "raise validation_share or leave the asset out"
            )
        shrinkage = shrinkage_factor(implied, actual)
        residual = np.abs(actual - shrinkage * implied)
        widths = [
            np.array(
                [
                    _conformal_quantile(residual[counted[:, asset], asset], level)
                    for asset in range(actual.shape[1])
                ]
            )
            for level in LEVELS
        ]
        return cls(shrinkage, *widths)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as JSON values."""
        return {
            "shrinkage": self.shrinkage,
            "half_width_80": self.half_width_80.tolist(),
            "half_width_95": self.half_width_95.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            float(content["shrinkage"]),
            np.asarray(content["half_width_80"], dtype=np.float64),
            np.asarray(content["half_width_95"], dtype=np.float64),
        )


def shrinkage_factor(implied: FloatArray, actual: FloatArray) -> float:
    """Return the factor in [0, 1] with the least squared error of factor * implied.

    Every asset counts alike: its rows are weighted by the inverse variance of what came.

    Args:
        implied: Shape (rows, assets), log ROI.
        actual: Same shape; NaN where an entry does not count.
    """
    counted = np.isfinite(actual)
    power = np.where(counted, actual, 0.0) ** 2
    scale = np.sqrt(power.sum(axis=0) / np.maximum(counted.sum(axis=0), 1))
    scale = np.where(scale > 0, scale, 1.0)
    forecast = np.where(counted, implied, 0.0) / scale
    came = np.where(counted, actual, 0.0) / scale
    square = float((forecast**2).sum())
    if square == 0.0:
        return 0.0
    return min(max(float((forecast * came).sum()) / square, 0.0), 1.0)


def _conformal_quantile(residuals: FloatArray, level: float) -> float:
    """Return the residual of rank ceil((n + 1) * level), or the largest where n is too small."""
    rank = min(math.ceil((len(residuals) + 1) * level), len(residuals))
    return float(np.sort(residuals)[rank - 1])
