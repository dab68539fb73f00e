"""What the scale forecast sees: how much prices moved lately, of the asset and of the market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roi_forecast.array_types import FloatArray
from roi_forecast.features.movement import MIN_MOVE
from roi_forecast.scale.averages import (
    DIRECTION_HALF_LIVES,
    HALF_LIVES,
    decayed,
    fall_balance,
    log_averages,
    unusual_volume,
)
from roi_forecast.scale.market_rows import MarketRows
from roi_forecast.universe import load_universe

_AVERAGES = 2 * (2 * len(HALF_LIVES) - 1)
_WEEKDAYS = 4
_COMMON = _AVERAGES + 1
_BALANCE = 2 * _COMMON + 1
_VOLUME = _BALANCE + 2 * len(DIRECTION_HALF_LIVES)
# Where the values that are an asset's own stand among the inputs.
_AVERAGED = 2 * len(HALF_LIVES)
_OWN = [
    *range(len(HALF_LIVES)),
    *range(_AVERAGES // 2, _AVERAGES // 2 + len(HALF_LIVES)),
    *range(_BALANCE, _BALANCE + len(DIRECTION_HALF_LIVES)),
    _VOLUME,
]
INPUTS = _VOLUME + 2 + _WEEKDAYS

# Intermediate arrays are built for this many assets at a time.
_ASSETS_AT_ONCE = 128
_STOCK = "stock"


@dataclass(frozen=True)
class ScaleInputs:
    """The inputs of the scale forecast, most of which the assets of a row have in common.

    Attributes:
        dates: Dates of the rows, shape (rows,), datetime64[D].
        own: What an asset has to itself, shape (rows, assets, own values): the logs of its averages
            the balance of its falls and rises, and its volume over its usual.
        market: What all assets have in common, shape (rows, INPUTS), 0 where an input is an asset's
            own; NaN in row 0, which has nothing before it.
        is_no_stock: 1 for an asset whose class is not stock, 0 for a stock, shape (assets,).
    """

    dates: npt.NDArray[np.datetime64]
    own: FloatArray
    market: FloatArray
    is_no_stock: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and assets."""
        return self.own.shape[0], self.own.shape[1]

    def at(self, rows: npt.ArrayLike, assets: npt.ArrayLike) -> FloatArray:
        """Return all inputs of pairs of a row and an asset.

        Args:
            rows: Rows of the pairs.
            assets: Their assets; broadcast against the rows.

        Returns:
            Shape (…, INPUTS); NaN in row 0.
        """
        rows, assets = np.broadcast_arrays(rows, assets)
        inputs: FloatArray = self.market[rows]
        own = self.own[rows, assets]
        for number, place in enumerate(_OWN):
            inputs[..., place] += own[..., number]
        other = self.is_no_stock[assets]
        np.multiply(
            inputs[..., :_COMMON], other[..., np.newaxis], out=inputs[..., _COMMON : 2 * _COMMON]
        )
        inputs[..., 2 * _COMMON] = other
        return inputs

    def times(self, slopes: FloatArray, rows: slice) -> FloatArray:
        """Return the sum of the inputs times their slopes, shape (rows, assets).

        Args:
            slopes: Shape (INPUTS,).
            rows: The rows wanted.
        """
        sums = np.empty((len(self.own[rows]), self.shape[1]))
        for other in (0.0, 1.0):
            is_of_class = self.is_no_stock == other
            weights = slopes.copy()
            weights[:_COMMON] += other * slopes[_COMMON : 2 * _COMMON]
            weights[_COMMON : 2 * _COMMON] = 0.0
            common = self.market[rows] @ weights + other * slopes[2 * _COMMON]
            # All of one class is a view, where a choice of columns would be a copy.
            columns = slice(None) if is_of_class.all() else is_of_class
            sums[:, columns] = self.own[rows, columns] @ weights[_OWN] + common[:, np.newaxis]
        return sums


def scale_inputs(rows: MarketRows, next_date: np.datetime64 | None = None) -> ScaleInputs:
    """Return the inputs of the scale forecast of every row.

    The inputs of row t are known before session t: they come from the rows t - MEMORY to t - 1 and
    from the dates of t - 1 and t, which the calendar gives in advance. In this order:

    - for the absolute log ROI and then for the true range: the logs of the asset's weighted
      averages, whose weights halve every HALF_LIVES rows, and the averages of the shorter
      half-lives over that of the longest, in logs, meant over all assets;
    - the log of the calendar days since the row before;
    - all of these again for assets that are no stocks, 0 for stocks, and whether it is one;
    - the balance of falls and rises, see `fall_balance`, of the asset and meant over all assets
      (after a fall prices move more: Black, 1976);
    - the last row's volume over its usual, see `unusual_volume`, of the asset and meant over those
      that have one (volume and volatility follow the same news: Clark, 1973); 0 for assets that are
      no stocks: the volume of a future jumps when its contract is replaced by the next;
    - whether the session is a Monday, Tuesday, Wednesday or Thursday.

    What is missing (a filled row, a range without a bar) takes no part in an average. An asset
    without a single move in its memory takes the mean of the others. One without a single range,
    such as one whose bars have no high and low, takes its own moves, enlarged as the others'
    ranges are beyond their moves.

    Args:
        rows: Rows in time order.
        next_date: Target date after the last row, where a forecast of it is wanted.

    Returns:
        Of all rows, and one row more with `next_date`.
    """
    dates = rows.dates if next_date is None else np.append(rows.dates, next_date)
    is_no_stock = _is_no_stock(rows.symbols)
    own = np.empty((len(dates), len(rows.symbols), len(_OWN)))
    for first in range(0, own.shape[1], _ASSETS_AT_ONCE):
        assets = slice(first, first + _ASSETS_AT_ONCE)
        log_roi = np.where(rows.filled[:, assets], np.nan, rows.log_roi[:, assets])
        moves = decayed(np.abs(log_roi), len(dates))
        ranges = decayed(rows.true_range[:, assets], len(dates))
        own[:, assets, : len(HALF_LIVES)] = log_averages(*moves)
        own[:, assets, len(HALF_LIVES) : _AVERAGED] = log_averages(*ranges)
        own[:, assets, _AVERAGED:-1] = fall_balance(log_roi, moves[0])
        volume = np.where(is_no_stock[assets] > 0, np.nan, rows.volume[:, assets])
        own[:, assets, -1] = unusual_volume(volume, len(dates))
    market = np.zeros((len(dates), INPUTS))
    of_moves, of_ranges = own[..., : len(HALF_LIVES)], own[..., len(HALF_LIVES) : _AVERAGED]
    for first_input, means in (
        (0, _means_where_missing(of_moves)),
        (_AVERAGES // 2, _means_where_missing(of_ranges, of_moves)),
    ):
        shorter = slice(first_input + len(HALF_LIVES), first_input + _AVERAGES // 2)
        market[:, shorter] = means[:, :-1] - means[:, -1:]
    days = np.diff(dates).astype("timedelta64[D]").astype(np.float64)
    market[1:, _AVERAGES] = np.log(days)
    balances = slice(_BALANCE + len(DIRECTION_HALF_LIVES), _VOLUME)
    market[:, balances] = own[..., _AVERAGED:-1].mean(axis=1)
    market[:, _VOLUME + 1] = _mean_where_known(own[..., -1])
    market[:, -_WEEKDAYS:] = _weekdays(dates)
    market[0] = np.nan
    return ScaleInputs(dates, own, market, is_no_stock)


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


def _mean_where_known(values: FloatArray) -> FloatArray:
    """Return the mean of each row's known values, 0 without any, and put 0 where one is unknown."""
    counts = np.isfinite(values).sum(axis=1)
    np.nan_to_num(values, copy=False)
    means: FloatArray = values.sum(axis=1) / np.maximum(counts, 1)
    return means


def _means_where_missing(logs: FloatArray, moves: FloatArray | None = None) -> FloatArray:
    """Return the means over all assets, shape (rows, values), and fill in what is missing.

    Args:
        logs: Shape (rows, assets, values). A missing one is replaced in place: by the mean or,
            where `moves` are given, by the asset's own plus what the known logs exceed theirs by.
        moves: Same shape, complete.

    Returns:
        Means of the known logs. Without any: of the moves, or that of no move.
    """
    known = np.isfinite(logs)
    counts = known.sum(axis=1)
    sums = np.where(known, logs, 0.0).sum(axis=1)
    # The most usual case needs no other array of this size.
    if known.all():
        return np.asarray(sums / counts)
    none = np.log(MIN_MOVE) if moves is None else moves.mean(axis=1)
    means: FloatArray = np.where(counts > 0, sums / np.maximum(counts, 1), none)
    instead = means[:, np.newaxis]
    if moves is not None:
        excess = np.where(known, logs - moves, 0.0).sum(axis=1) / np.maximum(counts, 1)
        instead = moves + excess[:, np.newaxis]
    np.copyto(logs, instead, where=~known)
    return means
