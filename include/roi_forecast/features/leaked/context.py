"""The part of the leakage audit that checks context moves against their publication times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.array_types import BoolArray, DateArray, FloatArray
from roi_forecast.features.dataset import Dataset
from roi_forecast.market.bars import Bars, blocks_of
from roi_forecast.market.calendars import next_openings, openings_on
from roi_forecast.universe import Exchange, load_universe, reference_exchange

_TOLERANCE = 1e-7
_TRADES_ON_SECONDS = 2 * 3600.0
"""Seconds by which the opening of a market that never closes may follow its final bars."""

_Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ContextFindings:
    """The wrong values of a dataset's context.

    Attributes:
        early: Rows published before the assets' own bars are final, shape (rows,).
        late: Rows published when an asset's exchange is open again, shape (rows,); one that never
            closes does not count.
        wrong_moves: Moves between other bars than the last final ones at two publication times,
            shape (rows, context assets).
        after_publication: Those of them that a bar final only after the row's publication time
            explains, same shape.
    """

    early: BoolArray
    late: BoolArray
    wrong_moves: BoolArray
    after_publication: BoolArray


def audit_context(dataset: Dataset, bars: Bars) -> ContextFindings:
    """Compare publication times and context moves with calendars and bars; see `audit_dataset`."""
    universe = load_universe()
    published = dataset.published_at.astype("datetime64[s]").astype(np.float64)
    assets = universe.select(dataset.symbols)
    exchanges = {asset.exchange for asset in assets}
    own = np.max([_final_seconds(exchange, dataset.dates) for exchange in exchanges], axis=0)
    opening = _next_opening(dataset.dates, exchanges, reference_exchange(assets).calendar)
    wrong, later = (np.zeros(dataset.context.shape, dtype=np.bool_) for _ in range(2))
    of_symbol = _levels(bars, dataset.context_symbols)
    for column, asset in enumerate(universe.select(dataset.context_symbols)):
        if asset.symbol not in of_symbol:
            wrong[:, column] = dataset.context[:, column] != 0
            continue
        levels = of_symbol[asset.symbol]
        days = pd.DatetimeIndex(levels.index).to_numpy().astype("datetime64[D]")
        level = pd.Series(levels.to_numpy(), index=_final_seconds(asset.exchange, days))
        known = level.reindex(published, method="ffill").reset_index(drop=True)
        moves = known.diff().fillna(0.0).to_numpy()
        claimed = dataset.context[:, column]
        wrong[:, column] = ~np.isclose(claimed, moves, rtol=0.0, atol=_TOLERANCE)
        later[:, column] = wrong[:, column] & _is_a_later_move(claimed, known, level, published)
    # The publication time before the first row is not in the dataset.
    wrong[:1] = later[:1] = False
    return ContextFindings(
        early=np.asarray(published < own, dtype=np.bool_),
        late=np.asarray((published >= opening) & (published > own), dtype=np.bool_),
        wrong_moves=wrong,
        after_publication=later,
    )


def _next_opening(dates: DateArray, exchanges: Iterable[Exchange], reference: str) -> _Seconds:
    """Return the seconds since 1970 of the earliest opening that follows a date's final bars."""
    earliest = np.full(len(dates), np.inf)
    for exchange in exchanges:
        opening = next_openings(exchange, dates).astype(np.float64)
        if exchange.calendar == reference:
            # A row is a session, even one that the calendar lacks.
            of_rows = openings_on(exchange, dates[1:]).astype(np.float64)
            opening[:-1] = np.minimum(opening[:-1], of_rows)
        while_trading = _TRADES_ON_SECONDS if exchange.is_continuous else 0.0
        opening[opening <= _final_seconds(exchange, dates) + while_trading] = np.inf
        earliest = np.minimum(earliest, opening)
    return earliest


def _is_a_later_move(
    claimed: FloatArray, known: pd.Series[float], level: pd.Series[float], published: _Seconds
) -> BoolArray:
    """Return whether a move ends at the bar that is the first one final after its row."""
    following = np.append(level.to_numpy(), np.nan)
    next_level = following[np.searchsorted(level.index.to_numpy(), published, side="right")]
    candidates = (next_level - known.to_numpy(), next_level - known.shift().to_numpy())
    close = [np.isclose(claimed, move, rtol=0.0, atol=_TOLERANCE) for move in candidates]
    return np.asarray(np.any(close, axis=0), dtype=np.bool_)


def _final_seconds(exchange: Exchange, days: DateArray) -> _Seconds:
    """Return the seconds since 1970 from which each bar is final."""
    wait = timedelta(minutes=exchange.delay_minutes)
    walls = [datetime.combine(day, exchange.cut_off) + wait for day in days.tolist()]
    return np.array([wall.replace(tzinfo=exchange.timezone).timestamp() for wall in walls])


def _levels(bars: Bars, symbols: Iterable[str]) -> dict[str, pd.Series[float]]:
    """Return the logarithm of each usable adjusted close, by date."""
    levels = {}
    for block in blocks_of(bars):
        for symbol in set(symbols).intersection(block["symbol"]):
            own = block.loc[block["symbol"] == symbol].set_index("trading_date")["adj_close"]
            usable = own[(own > 0) & (own < np.inf)].sort_index()
            levels[symbol] = np.log(usable)
    return levels
