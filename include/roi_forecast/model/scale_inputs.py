"""What the scale forecast sees: how much prices moved lately, of the asset and of the market."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

HALF_LIVES = (1, 5, 22)
"""A day, a week and a month of sessions, as in the HAR model of Corsi (2009)."""
MEMORY = 66
"""Rows that an average looks back: three of the longest half-lives."""
INPUTS = 2 * (2 * len(HALF_LIVES) - 1) + 1

_SMALLEST_MOVE = 0.0005


class MarketRows(Protocol):
    """Rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def dates(self) -> npt.NDArray[np.datetime64]:
        """Reference sessions."""

    @property
    def log_roi(self) -> FloatArray:
        """Plain log ROI, unscaled."""

    @property
    def true_range(self) -> FloatArray:
        """True range, a fraction."""

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Whether the asset had no bar."""


def scale_inputs(rows: MarketRows, next_date: np.datetime64 | None = None) -> FloatArray:
    """Return the inputs of the scale forecast of every row.

    The inputs of row t are known before session t: they come from the rows t - MEMORY to t - 1 and
    from the dates of t - 1 and t, which the calendar gives in advance. They are, for the absolute
    log ROI and then for the true range: the logs of the asset's weighted averages, whose weights
    halve every HALF_LIVES rows; the averages of the shorter half-lives over that of the longest, in
    logs, meant over all assets; at last the log of the calendar days since the row before.

    What is missing (a filled row, a range without a bar) takes no part in an average. An asset
    without a single value in its memory takes the mean of the others.

    Args:
        rows: Rows in time order.
        next_date: Target date after the last row, where a forecast of it is wanted.

    Returns:
        Shape (rows, assets, INPUTS), or (rows + 1, assets, INPUTS) with `next_date`. Row 0, which
        has nothing before it, is NaN.
    """
    dates = rows.dates if next_date is None else np.append(rows.dates, next_date)
    moves = np.where(rows.filled, np.nan, np.abs(rows.log_roi))
    inputs = np.full((len(dates), rows.log_roi.shape[1], INPUTS), np.nan)
    own = len(HALF_LIVES)
    for number, values in enumerate((moves, rows.true_range)):
        first = number * (2 * own - 1)
        averages = _log_averages(values, len(dates))
        inputs[..., first : first + own] = averages
        relative = averages[..., :-1] - averages[..., -1:]
        inputs[..., first + own : first + 2 * own - 1] = relative.mean(axis=1, keepdims=True)
    days = np.diff(dates).astype("timedelta64[D]").astype(np.float64)
    inputs[1:, :, -1] = np.log(days)[:, np.newaxis]
    return inputs


def _log_averages(values: FloatArray, rows: int) -> FloatArray:
    """Return the logs of the weighted averages before each row, shape (rows, assets, half-lives).

    Row 0 is NaN.
    """
    counted = np.isfinite(values)
    present = np.where(counted, values, 0.0)
    averages = np.full((rows, values.shape[1], len(HALF_LIVES)), np.nan)
    for number, half_life in enumerate(HALF_LIVES):
        sums, weights = np.zeros((2, rows, values.shape[1]))
        for lag in range(1, min(MEMORY, rows - 1) + 1):
            weight = 0.5 ** ((lag - 1) / half_life)
            sums[lag:] += weight * present[: rows - lag]
            weights[lag:] += weight * counted[: rows - lag]
        known = weights > 0
        logs = np.full(sums.shape, np.nan)
        logs[known] = np.log(sums[known] / weights[known] + _SMALLEST_MOVE)
        averages[..., number] = _others_where_missing(logs)
    averages[0] = np.nan
    return averages


def _others_where_missing(logs: FloatArray) -> FloatArray:
    known = np.isfinite(logs)
    counts = known.sum(axis=1, keepdims=True)
    means = np.where(known, logs, 0.0).sum(axis=1, keepdims=True) / np.maximum(counts, 1)
    return np.where(known, logs, np.where(counts > 0, means, np.log(_SMALLEST_MOVE)))
