"""When a spread is zero but for rounding: the one definition that every ratio over it asks.

A ratio over such a spread has no meaning. It is undefined, which arrays write as NaN.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import BoolArray, FloatArray

ROUNDING = float(np.sqrt(np.finfo(np.float64).eps))
"""Spread over magnitude up to which nothing is left but rounding: half of the digits of a float."""


def beyond_rounding(spread: npt.ArrayLike, magnitude: npt.ArrayLike) -> BoolArray:
    """Tell whether a spread is more than the rounding of values of a magnitude.

    It depends on the ratio of the two alone, so not on the unit. False where either is NaN.

    Args:
        spread: A distance between values, such as their standard deviation or their range.
        magnitude: The largest absolute value among them, same shape.
    """
    return np.asarray(np.asarray(spread) > ROUNDING * np.asarray(magnitude), dtype=np.bool_)


def varies(values: FloatArray) -> BoolArray:
    """Tell whether the values of each column vary by more than rounding.

    Args:
        values: Shape (rows, …); NaN where an entry does not count.

    Returns:
        Shape (…); False where nothing counts.
    """
    counted = np.isfinite(values)
    counts = np.maximum(counted.sum(axis=0), 1)
    kept = np.where(counted, values, 0.0)
    deviations = np.where(counted, kept - kept.sum(axis=0) / counts, 0.0)
    spread = np.sqrt((deviations**2).sum(axis=0) / counts)
    return beyond_rounding(spread, np.abs(kept).max(axis=0, initial=0.0))


def ratio_where(defined: BoolArray, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return numerator over denominator, NaN where it is not defined; all of one shape."""
    ratios: FloatArray = np.divide(
        numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=defined
    )
    return ratios
