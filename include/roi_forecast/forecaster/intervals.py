"""How good prediction intervals are: their score and their coverage, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roi_forecast.array_types import FloatArray


@dataclass(frozen=True)
class Intervals:
    """Lower and upper bounds of one level.

    Attributes:
        level: Share of what comes that should lie within, from 0 to 1.
        lower: Shape (rows, assets).
        upper: Same shape and unit.
    """

    level: float
    lower: FloatArray
    upper: FloatArray

    def score(self, actual: FloatArray) -> FloatArray:
        """Return the interval score of each entry; lower is better.

        The width, plus 2 / (1 - level) times the distance of the actual value outside of it.
        Source: Gneiting and Raftery, 2007, "Strictly Proper Scoring Rules, Prediction, and
        Estimation", section 6.2, equation 43; after Winkler, 1972.

        Args:
            actual: Shape (rows, assets), in the unit of the bounds; NaN where an entry does not
                count.

        Returns:
            Shape (rows, assets), in the unit of the bounds; NaN where `actual` is.
        """
        outside = np.maximum(self.lower - actual, 0.0) + np.maximum(actual - self.upper, 0.0)
        scores: FloatArray = self.upper - self.lower + 2.0 / (1.0 - self.level) * outside
        return scores

    def covers(self, actual: FloatArray) -> FloatArray:
        """Return 1 where the actual value lies inside, 0 where not, NaN where nothing counts."""
        inside = (self.lower <= actual) & (actual <= self.upper)
        counted = np.isfinite(actual) & np.isfinite(self.lower) & np.isfinite(self.upper)
        return np.where(counted, inside, np.nan)
