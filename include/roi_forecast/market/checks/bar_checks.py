"""Checks of single bars; a doubtful bar is reported and not stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from roi_forecast.array_types import BoolArray, FloatArray
from roi_forecast.market.bars import PRICE_COLUMNS, REQUIRED_PRICES
from roi_forecast.market.checks.check_results import CheckResult

RANGE_TOLERANCE = 0.005
"""Share of the close by which open or close may lie outside the range, as settlements do."""

MIN_JUMP = math.log(1.5)
"""Log ROI below which no move is doubted, however calm the asset."""

MAX_JUMP = math.log(3)
"""Log ROI above which no move is believed, even if later bars confirm it: splits, wrong units."""

JUMP_DEVIATIONS = 12
"""Moves beyond this many of the asset's own recent standard deviations are doubted."""

CONFIRMING_BARS = 2
"""Later bars that must stay at the level of a doubted price to confirm it."""

VOLATILITY_BARS = 60
"""Believed bars from which the recent standard deviation is estimated."""

FIRST_BARS = 5
"""Bars whose median replaces the unknown price before the first."""

MIN_PRICE, MAX_PRICE = 1e-12, 1e15
"""Range of possible prices, in any currency and after any number of splits."""

MAX_VOLUME = 2**53
"""A float64 counts whole shares up to here; no exchange trades as many in a day."""

VOLUME_CHECK = "invalid_volume"

BAR_CHECKS = (
    "missing_price",
    "non_positive_price",
    "impossible_price",
    "inconsistent_range",
    "jump",
    VOLUME_CHECK,
)

_DEVIATION_OF_MEDIAN = 1.4826


def split_doubted(
    symbol: str, bars: pd.DataFrame, earlier_closes: Sequence[float]
) -> tuple[pd.DataFrame, list[CheckResult]]:
    """Separate the bars that may be stored from the doubtful ones.

    Args:
        symbol: The asset.
        bars: As `PriceSource.fetch` returns them.
        earlier_closes: Adjusted closes stored before the first of `bars`, oldest first; they are
            the basis for judging moves.

    Returns:
        The believed bars, and one failed result of severity `drop_bar` for each other bar.
    """
    prices = bars[list(PRICE_COLUMNS)].to_numpy(np.float64)
    by_name = dict(zip(PRICE_COLUMNS, prices.T, strict=True))
    required = np.stack([by_name[name] for name in REQUIRED_PRICES])
    faults = [
        (
            "missing_price",
            np.isnan(required).any(axis=0),
            f"{' or '.join(REQUIRED_PRICES)} is missing",
        ),
        ("non_positive_price", (prices <= 0).any(axis=1), "a price is zero or negative"),
        (
            "impossible_price",
            ((prices < MIN_PRICE) | (prices > MAX_PRICE)).any(axis=1),
            f"a price lies outside {MIN_PRICE:g} to {MAX_PRICE:g}",
        ),
        (
            "inconsistent_range",
            _is_outside(by_name),
            "open or close lies outside low to high",
        ),
    ]
    doubted = np.zeros(len(bars), dtype=np.bool_)
    results = []
    for check_name, found, reason in faults:
        for _, bar in bars[found & ~doubted].iterrows():
            named = ", ".join(f"{column} {bar[column]:g}" for column in PRICE_COLUMNS)
            results.append(_dropped(symbol, check_name, bar, f"{reason}: {named}"))
        doubted |= found
    sound = bars[~doubted]
    is_jump, moves = find_jumps(sound["adj_close"].to_numpy(), earlier_closes)
    for (_, bar), move in zip(sound[is_jump].iterrows(), moves[is_jump], strict=True):
        reason = (
            f"adj_close {bar['adj_close']:g} is {math.exp(move):.3g} times the last believed one, "
            "which the asset's own volatility does not explain"
        )
        results.append(_dropped(symbol, "jump", bar, reason, observed=move))
    return sound[~is_jump].reset_index(drop=True), results


def _is_outside(prices: Mapping[str, FloatArray]) -> BoolArray:
    """Tell of each bar whether open or close lies outside its range, beyond what settlements do.

    Without a high or a low nothing lies outside it.
    """
    high, low, close = prices["high"], prices["low"], prices["close"]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        above = np.fmax(np.fmax(prices["open"], close) - high, 0.0)
        below = np.fmax(low - np.fmin(prices["open"], close), 0.0)
        share = (above + below) / np.abs(close)
    is_outside: BoolArray = (share > RANGE_TOLERANCE) | (high < low)
    return is_outside


def possible_prices(bars: pd.DataFrame) -> pd.DataFrame:
    """Return `PRICE_COLUMNS`, with NaN for impossible prices, shape (bars, prices)."""
    prices = bars[list(PRICE_COLUMNS)]
    return prices.where((prices >= MIN_PRICE) & (prices <= MAX_PRICE))


def empty_invalid_volumes(
    symbol: str, bars: pd.DataFrame
) -> tuple[pd.DataFrame, list[CheckResult]]:
    """Empty impossible volumes; their bars stay.

    Args:
        symbol: The asset.
        bars: As `PriceSource.fetch` returns them.

    Returns:
        The bars, and one failed result of severity `warn` if there was such a volume.
    """
    volume = bars["volume"]
    invalid = (volume < 0) | (volume > MAX_VOLUME)
    if not invalid.any():
        return bars, []
    first = bars[invalid].iloc[0]
    day = first["trading_date"].date()
    result = CheckResult(
        check_name=VOLUME_CHECK,
        severity="warn",
        passed=False,
        message=(
            f"{symbol}: {int(invalid.sum())} volumes are not between 0 and "
            f"{MAX_VOLUME:.3g}, the first is {first['volume']:g} on {day}; they are stored as "
            "empty"
        ),
        symbol=symbol,
        trading_date=day,
    )
    return bars.assign(volume=volume.mask(invalid)), [result]


def find_jumps(
    closes: FloatArray, earlier_closes: Sequence[float] = ()
) -> tuple[BoolArray, FloatArray]:
    """Find prices that are too far from the last believed price.

    The limit follows the asset's own recent volatility, estimated robustly from the median absolute
    log ROI. A move beyond it is still believed if it is below `MAX_JUMP` and the next
    `CONFIRMING_BARS` prices stay at the new level. The first price is compared with the median of
    the first few, by `MAX_JUMP`.

    Args:
        closes: Adjusted closes, shape (bars,), positive, in date order.
        earlier_closes: Believed ones before them, oldest first.

    Returns:
        Whether each price is a jump, and its log ROI since the last believed price, shapes (bars,).
    """
    levels = np.log(closes)
    believed = [math.log(close) for close in earlier_closes]
    first_level = float(np.median(levels[:FIRST_BARS])) if len(levels) else 0.0
    jumps = np.zeros(len(levels), dtype=bool)
    moves = np.diff(levels, prepend=believed[-1] if believed else first_level)
    # No limit is smaller, so mostly all are believed.
    if (np.abs(moves) <= MIN_JUMP).all():
        return jumps, moves
    for number, level in enumerate(levels):
        moves[number] = level - (believed[-1] if believed else first_level)
        if abs(moves[number]) <= MIN_JUMP:
            believed.append(level)
            continue
        recent = np.abs(np.diff(believed[-VOLATILITY_BARS - 1 :]))
        deviation = _DEVIATION_OF_MEDIAN * np.median(recent) if len(recent) else 0.0
        limit = max(MIN_JUMP, JUMP_DEVIATIONS * deviation) if believed else MAX_JUMP
        following = levels[number + 1 : number + 1 + CONFIRMING_BARS]
        confirmed = (
            abs(moves[number]) <= MAX_JUMP
            and len(following) == CONFIRMING_BARS
            and bool(np.all(np.abs(following - level) < MIN_JUMP))
        )
        if abs(moves[number]) > limit and not confirmed:
            jumps[number] = True
        else:
            believed.append(level)
    return jumps, moves


def _dropped(
    symbol: str, check_name: str, bar: pd.Series, reason: str, observed: float | None = None
) -> CheckResult:
    day = bar["trading_date"].date()
    return CheckResult(
        check_name=check_name,
        severity="drop_bar",
        passed=False,
        message=f"{symbol} {day}: {reason}; the bar is not stored",
        symbol=symbol,
        trading_date=day,
        observed=observed,
    )
