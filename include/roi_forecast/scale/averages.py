"""Averages of what an asset did lately, whose weights halve every so many rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from roi_forecast.array_types import FloatArray
from roi_forecast.features.movement import MIN_MOVE

HALF_LIVES = (1, 5, 22)
"""A day, a week and a month of sessions, as in the HAR model of Corsi (2009)."""
MEMORY = 66
"""Rows that an average looks back: three of the longest half-lives."""
DIRECTION_HALF_LIVES = (1, 5)
"""Of the balance of falls and rises: the effect of a fall on volatility fades within days."""
VOLUME_HALF_LIFE = 5
"""Of a volume's usual."""
MAX_VOLUME = 1.5
"""Farthest that the log of a volume over its usual counts: single days have wild ones."""


def decayed(
    values: FloatArray, rows: int, half_lives: Sequence[int] = HALF_LIVES, memory: int = MEMORY
) -> tuple[FloatArray, FloatArray]:
    """Return the decayed sums of values and of their number, each (half-lives, rows, assets)."""
    counted = np.isfinite(values)
    sums = decayed_sums(np.where(counted, values, 0.0), half_lives, rows, memory)
    return sums, decayed_sums(counted.astype(np.float64), half_lives, rows, memory)


def decayed_sums(
    values: FloatArray, half_lives: Sequence[int], rows: int, memory: int = MEMORY
) -> FloatArray:
    """Return for each row the sum of the rows before it, the newest with weight 1.

    Args:
        values: Shape (values' rows, columns), without NaN.
        half_lives: Rows after which a weight has halved.
        rows: Rows of the result; at most one more than those of the values.
        memory: Rows that a sum looks back.

    Returns:
        Shape (half-lives, rows, columns); 0 in row 0, which has nothing before it.
    """
    sums = np.zeros((len(half_lives), rows, values.shape[1]))
    for number, half_life in enumerate(half_lives if rows > 1 else ()):
        weights = 0.5 ** (np.arange(memory) / half_life)
        sums[number, 1:] = lfilter(weights, 1.0, values[: rows - 1], axis=0)
    return sums


def log_averages(sums: FloatArray, numbers: FloatArray) -> FloatArray:
    """Return the logs of the weighted averages before each row, shape (rows, assets, half-lives).

    NaN in row 0 and where nothing counts.
    """
    averages = np.full(sums.shape, np.nan)
    np.divide(sums, numbers, out=averages, where=numbers > 0)
    logs: FloatArray = np.log(averages + MIN_MOVE).transpose(1, 2, 0)
    return logs


def fall_balance(log_roi: FloatArray, moves: FloatArray) -> FloatArray:
    """Return how far falls outweigh rises before each row, from -1 (only rises) to 1 (only falls).

    The weighted sum of the negated log ROIs over that of the absolute ones, with weights that halve
    every DIRECTION_HALF_LIVES rows; 0 where nothing moved. Shape (rows, assets, half-lives).

    Args:
        log_roi: Shape (rows, assets), NaN where it does not count.
        moves: Decayed sums of the absolute log ROIs, shape (HALF_LIVES, rows or rows + 1, assets).
    """
    rows = moves.shape[1]
    falls = decayed_sums(-np.nan_to_num(log_roi), DIRECTION_HALF_LIVES, rows)
    sizes = moves[[HALF_LIVES.index(half_life) for half_life in DIRECTION_HALF_LIVES]]
    balances: FloatArray = np.zeros(falls.shape)
    np.divide(falls, sizes, out=balances, where=sizes > 0)
    return balances.transpose(1, 2, 0)


def unusual_volume(volume: FloatArray, rows: int) -> FloatArray:
    """Return the log of the volume of the row before over its usual, shape (rows, assets).

    The usual is the weighted geometric mean of the rows before that one, whose weights halve every
    VOLUME_HALF_LIFE rows. Within MAX_VOLUME to either side; NaN where either is unknown. A volume
    that is not above 0 is unknown.

    Args:
        volume: Shape (volume's rows, assets), NaN where unknown.
        rows: Rows of the result; at most one more than those of the volume.
    """
    before = max(rows - 1, 0)
    is_known = volume > 0
    logs = np.log(volume, out=np.full(volume.shape, np.nan), where=is_known)
    # The day itself is the newest row of the memory.
    sums, numbers = decayed(logs, before, (VOLUME_HALF_LIFE,), MEMORY - 1)
    is_known = is_known[:before] & (numbers[0] > 0)
    unusual: FloatArray = np.full((rows, volume.shape[1]), np.nan)
    unusual[1:][is_known] = logs[:before][is_known] - sums[0][is_known] / numbers[0][is_known]
    return unusual.clip(-MAX_VOLUME, MAX_VOLUME)
