"""The leakage audit: whether anything in a dataset was taken from the future.

It starts from the bars and the dataset's arrays alone and computes anew what may have been known
when; it calls none of the code that builds datasets, so that a fault there cannot hide itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from roi_forecast.features.dataset import Dataset

MANIFEST_KEY = "leakage_audit"

# Rounding of sums in another order; a statistic of one row more differs by far more.
_TOLERANCE = 1e-7


@dataclass(frozen=True)
class LeakageCheck:
    """What one check of the audit found.

    Attributes:
        check_name: Name of the check.
        passed: Whether nothing was found.
        observed: The figure that decides, or None where there is none.
        allowed: What it is held against: the most, for the gaps the least.
        message: One sentence for people, with the dates that matter.
    """

    check_name: str
    passed: bool
    observed: float | None
    allowed: float | None
    message: str


@dataclass(frozen=True)
class LeakageAudit:
    """All checks of one dataset."""

    checks: tuple[LeakageCheck, ...]

    @property
    def findings(self) -> tuple[LeakageCheck, ...]:
        """The checks that found something."""
        return tuple(check for check in self.checks if not check.passed)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the audit as JSON values, as the dataset's manifest holds it."""
        return [asdict(check) for check in self.checks]

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self | None:
        """Read what `to_json` wrote; None where a manifest holds no audit, or none of this form."""
        checks = manifest.get(MANIFEST_KEY)
        if not isinstance(checks, Sequence) or not checks:
            return None
        try:
            return cls(tuple(LeakageCheck(**check) for check in checks))
        except TypeError:
            return None


def audit_dataset(dataset: Dataset, bars: pd.DataFrame, as_of_date: date) -> LeakageAudit:
    """Check that every value of a dataset was known when it claims to have been.

    Args:
        dataset: What to audit.
        bars: The bars that it was built from: long frame with symbol, trading_date, high, low,
            close and adj_close.
        as_of_date: The last session that it may know.

    Returns:
        One check each for the as-of date, the windows, the two gaps, the scaler, the filling, the
        returns and the true ranges.
    """
    split, known = dataset.split, _KnownPrices.read(dataset, bars)
    return LeakageAudit(
        (
            _no_row_after(dataset, as_of_date),
            _windows_end_before_targets(dataset),
            _gap(dataset, "validation", split.train, split.validation),
            _gap(dataset, "test", split.validation, split.test),
            _scaler_saw_training_rows_only(dataset),
            _prices_were_known(dataset, known),
            _returns_end_on_their_row(dataset),
            _ranges_end_on_their_row(dataset, bars, known),
        )
    )


def _no_row_after(dataset: Dataset, as_of_date: date) -> LeakageCheck:
    later = int((dataset.dates > np.datetime64(as_of_date)).sum())
    message = f"the last row is of {dataset.dates[-1]}, the as-of date is {as_of_date}"
    return LeakageCheck("as_of_date", later == 0, later, 0, message)


def _windows_end_before_targets(dataset: Dataset) -> LeakageCheck:
    backward = int((np.diff(dataset.dates) <= np.timedelta64(0, "D")).sum())
    parts = (dataset.split.train, dataset.split.validation, dataset.split.test)
    short = sum(max(0, dataset.seq_len - part.start) for part in parts)
    message = (
        f"{backward} of {len(dataset.dates)} rows do not come after the row before them, "
        f"{short} targets have no whole window of {dataset.seq_len} rows before them"
    )
    return LeakageCheck(
        "targets_after_windows", backward + short == 0, backward + short, 0, message
    )


def _gap(dataset: Dataset, name: str, before: range, after: range) -> LeakageCheck:
    gap = after.start - before.stop
    message = (
        f"the targets before end on {dataset.dates[before.stop - 1]}, those of {name} start on "
        f"{dataset.dates[after.start]}: {gap} rows between, at least {dataset.smoothing} are needed"
    )
    passed = gap >= dataset.smoothing
    return LeakageCheck(f"gap_before_{name}", passed, gap, dataset.smoothing, message)


def _scaler_saw_training_rows_only(dataset: Dataset) -> LeakageCheck:
    allowed, starts = dataset.split.train.stop, dataset.dates[dataset.split.validation.start]
    matching = np.flatnonzero(_prefixes_that_give_the_scaler(dataset)) + 1
    if not len(matching):
        message = (
            "the scaler's statistics are those of no rows from the first one on, so it cannot be "
            f"told which it was fitted on; the training rows are the first {allowed}"
        )
        return LeakageCheck(
            "scaler_fit", passed=False, observed=None, allowed=allowed, message=message
        )
    fitted = int(matching[0])
    message = (
        f"the scaler's statistics are those of the rows up to {dataset.dates[fitted - 1]}, "
        f"training ends on {dataset.dates[allowed - 1]}, validation starts on {starts}"
    )
    return LeakageCheck("scaler_fit", fitted <= allowed, fitted, allowed, message)


def _prefixes_that_give_the_scaler(dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Tell for each row whether the rows up to it have the scaler's statistics, shape (rows,)."""
    values, scaler = dataset.smoothed, dataset.scaler
    counts = np.arange(1, len(values) + 1)[:, np.newaxis]
    means = values.cumsum(axis=0) / counts
    if scaler.kind == "minmax":
        offsets = np.minimum.accumulate(values)
        spreads = np.maximum.accumulate(values) - offsets
    else:
        # Around a fixed value first: the squares of small differences would cancel otherwise.
        shifted = values - values[0]
        variances = (shifted**2).cumsum(axis=0) / counts - (means - values[0]) ** 2
        offsets, spreads = means, np.sqrt(np.maximum(variances, 0.0))
    # Where nothing moved yet, any finite slope maps to a constant; 1 is the one that is taken.
    spreads = np.where(spreads > 0, spreads, 1.0)
    claimed_spreads = 1.0 / scaler.slope
    centers = (means - offsets) / spreads
    plain = dataset.log_roi.cumsum(axis=0) / counts
    distances = (
        (offsets - scaler.offset) / claimed_spreads,
        (spreads - claimed_spreads) / claimed_spreads,
        centers - scaler.center,
        (plain - scaler.log_roi_mean) / claimed_spreads,
    )
    worst = np.stack([np.abs(distance).max(axis=1) for distance in distances]).max(axis=0)
    equal: npt.NDArray[np.bool_] = worst <= _TOLERANCE
    return equal


@dataclass(frozen=True)
class _KnownPrices:
    """What the bars alone say of the rows; every array has the shape (rows, assets).

    Attributes:
        last: Adjusted close of the last bar on or before the row; NaN before the first.
        following: Adjusted close of the bar after that one; NaN after the last.
        has_bar: Whether there is a bar on the row's date.
    """

    last: npt.NDArray[np.float64]
    following: npt.NDArray[np.float64]
    has_bar: npt.NDArray[np.bool_]

    @classmethod
    def read(cls, dataset: Dataset, bars: pd.DataFrame) -> Self:
        usable = bars[np.isfinite(bars["adj_close"]) & (bars["adj_close"] > 0)]
        usable = usable.sort_values(["symbol", "trading_date"])
        of_symbol = dict(tuple(usable.groupby("symbol")))
        last, following = (np.full(dataset.prices.shape, np.nan) for _ in range(2))
        has_bar = np.zeros(dataset.prices.shape, dtype=np.bool_)
        for column, symbol in enumerate(dataset.symbols):
            own = of_symbol.get(symbol, usable.iloc[:0])
            days = own["trading_date"].to_numpy().astype("datetime64[D]")
            closes = np.concatenate([[np.nan], own["adj_close"], [np.nan]])
            known = np.searchsorted(days, dataset.dates, side="right")
            last[:, column], following[:, column] = closes[known], closes[known + 1]
            has_bar[:, column] = np.isin(dataset.dates, days)
        return cls(last, following, has_bar)


def _prices_were_known(dataset: Dataset, known: _KnownPrices) -> LeakageCheck:
    wrong = (dataset.prices != known.last) | (dataset.filled == known.has_bar)
    count, filled = int(wrong.sum()), int(dataset.filled.sum())
    message = f"each of {filled} filled prices is the asset's last one before it"
    if count:
        row, column = np.argwhere(wrong)[0]
        from_next = int((wrong & (dataset.prices == known.following)).sum())
        message = (
            f"{count} prices are not the asset's last one on or before their row, {from_next} of "
            f"them the next one's; the first is {dataset.symbols[column]} on {dataset.dates[row]}"
        )
    return LeakageCheck("filling", count == 0, count, 0, message)


def _returns_end_on_their_row(dataset: Dataset) -> LeakageCheck:
    span = dataset.smoothing
    plain = np.diff(np.log(dataset.prices), axis=0)
    sums = np.vstack([np.zeros((1, dataset.log_roi.shape[1])), dataset.log_roi.cumsum(axis=0)])
    means = (sums[span:] - sums[:-span]) / span
    wrong = np.zeros(len(dataset.dates), dtype=np.bool_)
    for found, own in ((dataset.log_roi, plain), (dataset.smoothed, means)):
        first = len(found) - len(own)
        wrong[first:] |= ~np.isclose(found[first:], own, rtol=0.0, atol=_TOLERANCE).all(axis=1)
    count = int(wrong.sum())
    message = f"each return, and each mean of {span} returns, ends on its own row"
    if count:
        message = (
            f"{count} rows hold a return or a mean of {span} returns that is not the one that ends "
            f"there; the first is {dataset.dates[int(wrong.argmax())]}"
        )
    return LeakageCheck("returns", count == 0, count, 0, message)


def _ranges_end_on_their_row(
    dataset: Dataset, bars: pd.DataFrame, known: _KnownPrices
) -> LeakageCheck:
    rows, columns = len(dataset.dates), {name: at for at, name in enumerate(dataset.symbols)}
    prices = bars[["high", "low", "close", "adj_close"]].to_numpy(dtype=np.float64)
    usable = (np.isfinite(prices) & (prices > 0)).all(axis=1)
    sound = bars[usable & bars["symbol"].isin(columns).to_numpy()]
    factor = sound["adj_close"] / sound["close"]
    days = sound["trading_date"].to_numpy().astype("datetime64[D]")
    travelled = (
        pd.DataFrame(
            {
                # A bar belongs to the first row that is not before it.
                "row": np.searchsorted(dataset.dates, days),
                "column": sound["symbol"].map(columns),
                "high": sound["high"] * factor,
                "low": sound["low"] * factor,
            }
        )
        .groupby(["row", "column"], as_index=False)
        .agg({"high": "max", "low": "min"})
    )
    # The first row's range begins before the dataset, and a bar after the last row is none of its.
    counted = travelled[travelled["row"].between(1, rows - 1)]
    places = counted["row"].to_numpy(), counted["column"].to_numpy()
    before = known.last[places[0] - 1, places[1]]
    own = np.full(dataset.prices.shape, np.nan)
    high, low = counted["high"].to_numpy(), counted["low"].to_numpy()
    own[places] = (np.maximum(high, before) - np.minimum(low, before)) / before
    equal = np.isclose(dataset.true_range, own, rtol=0.0, atol=_TOLERANCE, equal_nan=True)
    wrong = np.append(False, ~equal[1:].all(axis=1))
    count = int(wrong.sum())
    message = "each true range spans the bars since the row before, up to its own row"
    if count:
        message = (
            f"{count} rows hold a true range of other bars than those since the row before, up to "
            f"their own; the first is {dataset.dates[int(wrong.argmax())]}"
        )
    return LeakageCheck("true_range", count == 0, count, 0, message)
