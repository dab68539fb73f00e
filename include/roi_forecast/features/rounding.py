"""The one rule for when a spread is only rounding error; a ratio over such a spread is NaN."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import BoolArray, FloatArray

ROUNDING = float(np.sqrt(np.finfo(np.float64).eps))
"""Ratio of spread to magnitude up to which a spread is rounding: half of a float's digits."""


def beyond_rounding(spread: npt.ArrayLike, magnitude: npt.ArrayLike) -> BoolArray:
    """Return whether a spread exceeds the rounding error of values of a magnitude.

    Only the ratio of the two matters, not the unit. False where either is NaN.

    Args:
        spread: A distance between values, such as their standard deviation or their range.
        magnitude: The largest absolute value among them, same shape.
    """
    return np.asarray(np.asarray(spread) > ROUNDING * np.asarray(magnitude), dtype=np.bool_)


def varies(values: FloatArray) -> BoolArray:
    """Return whether each column varies by more than rounding, shape (…).

    Args:
        values: Shape (rows, …); NaN does not count, and a column of NaN does not vary.
    """
    counted = np.isfinite(values)
    counts = np.maximum(counted.sum(axis=0), 1)
    kept = np.where(counted, values, 0.0)
    deviations = np.where(counted, kept - kept.sum(axis=0) / counts, 0.0)
    spread = np.sqrt((deviations**2).sum(axis=0) / counts)
    return beyond_rounding(spread, np.abs(kept).max(axis=0, initial=0.0))


def ratio_where(defined: BoolArray, numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return numerator over denominator where defined, else NaN; all of one shape."""
    ratios: FloatArray = np.divide(
        numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=defined
    )
    return ratios
