"""What the scale forecast sees: how much prices moved lately, of the asset and of the market."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from roi_forecast.universe import load_universe

FloatArray = npt.NDArray[np.float64]

HALF_LIVES = (1, 5, 22)
"""A day, a week and a month of sessions, as in the HAR model of Corsi (2009)."""
MEMORY = 66
"""Rows that an average looks back: three of the longest half-lives."""
DIRECTION_HALF_LIVES = (1, 5)
"""Of the balance of falls and rises: the effect of a fall on volatility fades within days."""

_AVERAGES = 2 * (2 * len(HALF_LIVES) - 1)
_WEEKDAYS = 4
INPUTS = 2 * (_AVERAGES + 1) + 2 * len(DIRECTION_HALF_LIVES) + _WEEKDAYS + 1

_SMALLEST_MOVE = 0.0005
_STOCK = "stock"


class MarketRows(Protocol):
    """Rows of a dataset or of a version's preprocessing; shapes as there."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The assets, in column order."""

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
    from the dates of t - 1 and t, which the calendar gives in advance. In this order:

    - for the absolute log ROI and then for the true range: the logs of the asset's weighted
      averages, whose weights halve every HALF_LIVES rows, and the averages of the shorter
      half-lives over that of the longest, in logs, meant over all assets;
    - the log of the calendar days since the row before;
    - all of these again for assets that are no stocks, 0 for stocks, and whether it is one;
    - the balance of falls and rises, see `_fall_balance`, of the asset and meant over all assets
      (after a fall prices move more: Black, 1976);
    - whether the session is a Monday, Tuesday, Wednesday or Thursday.

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
    log_roi = np.where(rows.filled, np.nan, rows.log_roi)
    shape = (len(dates), len(rows.symbols))
    columns = []
    for values in (np.abs(log_roi), rows.true_range):
        averages = _log_averages(values, len(dates))
        columns += [averages, _market_wide(averages[..., :-1] - averages[..., -1:])]
    days = np.log(np.diff(dates).astype("timedelta64[D]").astype(np.float64))
    columns.append(np.broadcast_to(np.append(np.nan, days)[:, np.newaxis, np.newaxis], (*shape, 1)))
    common = np.concatenate(columns, axis=-1)
    other = _is_no_stock(rows.symbols)[:, np.newaxis]
    balance = _fall_balance(log_roi, len(dates))
    inputs = np.concatenate(
        [
            common,
            common * other,
            np.broadcast_to(other, (*shape, 1)),
            balance,
            _market_wide(balance),
            np.broadcast_to(_weekdays(dates)[:, np.newaxis], (*shape, _WEEKDAYS)),
        ],
        axis=-1,
    )
    inputs[0] = np.nan
    return inputs


def _market_wide(values: FloatArray) -> FloatArray:
    """Return the mean over all assets for each of them, same shape (rows, assets, values)."""
    means: FloatArray = np.broadcast_to(values.mean(axis=1, keepdims=True), values.shape)
    return means


def _is_no_stock(symbols: tuple[str, ...]) -> FloatArray:
    """Return 1 for an asset whose class is not stock, 0 for a stock, shape (assets,)."""
    assets = load_universe().select(symbols)
    return np.array([float(asset.asset_class != _STOCK) for asset in assets])


def _weekdays(dates: npt.NDArray[np.datetime64]) -> FloatArray:
    """Return 1 where the date is a Monday, …, Thursday, else 0, shape (dates, 4)."""
    # 1970-01-01, day 0 of numpy, was a Thursday.
    weekdays = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7
    marks: FloatArray = (weekdays[:, np.newaxis] == np.arange(_WEEKDAYS)).astype(np.float64)
    return marks


def _fall_balance(log_roi: FloatArray, rows: int) -> FloatArray:
    """Return how far falls outweigh rises before each row, from -1 (only rises) to 1 (only falls).

    The weighted sum of the negated log ROIs over that of the absolute ones, with weights that halve
    every DIRECTION_HALF_LIVES rows; 0 where nothing moved. Shape (rows, assets, half-lives).
    """
    present = np.nan_to_num(log_roi)
    balances = np.zeros((rows, log_roi.shape[1], len(DIRECTION_HALF_LIVES)))
    for number, half_life in enumerate(DIRECTION_HALF_LIVES):
        falls, moves = np.zeros((2, rows, log_roi.shape[1]))
        for lag in range(1, min(MEMORY, rows - 1) + 1):
            weight = 0.5 ** ((lag - 1) / half_life)
            falls[lag:] -= weight * present[: rows - lag]
            moves[lag:] += weight * np.abs(present[: rows - lag])
        np.divide(falls, moves, out=balances[..., number], where=moves > 0)
    return balances


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
