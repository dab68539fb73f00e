"""Sums over the rows before each row, with weights that halve every so many rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roi_forecast.array_types import FloatArray

# Few enough for the sums of all rows to stay in the processor's cache.
_COLUMNS_AT_ONCE = 16


def decayed_sums(
    values: FloatArray, half_lives: Sequence[int], rows: int, memory: int
) -> FloatArray:
    """Return for each row the sum of the rows before it, the newest with weight 1.

    Args:
        values: Shape (values' rows, columns), without NaN.
        half_lives: Rows after which a weight has halved.
        rows: Rows of the result; at most one more than those of the values.
        memory: Rows that a sum looks back.

    Returns:
        Shape (half-lives, rows, columns); 0 in row 0, which has nothing before it. Terms are added
        from the newest on, whichever columns stand beside.
    """
    sums = np.zeros((len(half_lives), rows, values.shape[1]))
    for first in range(0, values.shape[1], _COLUMNS_AT_ONCE):
        block = np.ascontiguousarray(values[:, first : first + _COLUMNS_AT_ONCE])
        own = np.zeros((len(half_lives), rows, block.shape[1]))
        term = np.empty_like(own[0])
        for lag in range(1, min(memory, rows - 1) + 1):
            known = block[: rows - lag]
            for number, half_life in enumerate(half_lives):
                np.multiply(known, 0.5 ** ((lag - 1) / half_life), out=term[lag:])
                own[number, lag:] += term[lag:]
        sums[..., first : first + _COLUMNS_AT_ONCE] = own
    return sums
