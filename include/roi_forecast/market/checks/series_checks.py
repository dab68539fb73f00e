"""Whether one asset's stored series is long, new and complete enough to be used."""

from __future__ import annotations

from datetime import date

import pandas as pd

from roi_forecast.market.calendars import TradedDates
from roi_forecast.market.checks.check_results import CheckResult, Severity
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset

MINIMUM_WINDOWS = 50
"""Windows an asset's own bars must allow, so that every part of the split gets some."""

MAX_STALE_SESSIONS = 3
"""Sessions without a bar before the as-of date that are bridged by the last price."""

MAX_MISSING_SHARE = 0.2
"""Share of the sessions since its first bar that an asset may lack."""

MAX_OFF_CALENDAR_SHARE = 0.05
"""Share of bars that may lie outside the asset's calendar; dates shifted by a day give a fifth."""

MIN_OVERLAP = 0.7
"""Share of the run's rows since its first bar on which an asset must have a bar of its own."""

SERIES_CHECKS = ("history", "staleness", "missing_sessions", "off_calendar_bars", "overlap")


def check_series(
    asset: Asset,
    dates: pd.Series[pd.Timestamp],
    traded: TradedDates,
    rows: pd.DatetimeIndex,
    run: ResolvedRun,
) -> list[CheckResult]:
    """Judge one asset's dates.

    Shares that cost an asset its place are of the plain calendar, so that a fault which hits all
    assets alike shows; dates on which its neighbours did the same are not worth a warning.

    Args:
        asset: The asset.
        dates: Trading dates of its stored bars, up to the as-of date.
        traded: The dates on which the assets of its calendar traded.
        rows: Reference sessions of the run, its calendar's or another's.
        run: Says what a dataset needs.

    Returns:
        One result for each of `SERIES_CHECKS`; only `history` if there are no bars.
    """
    symbol = asset.symbol
    needed = run.config.seq_len + run.config.smoothing + MINIMUM_WINDOWS
    history = CheckResult(
        "history",
        "drop_asset",
        len(dates) >= needed,
        f"{symbol}: {len(dates)} bars from {run.start_date} to {run.as_of_date}; at least {needed} "
        f"are needed (seq_len + smoothing + {MINIMUM_WINDOWS})",
        symbol=symbol,
        observed=len(dates),
        allowed=needed,
    )
    if dates.empty:
        return [history]
    first, last = dates.min(), dates.max()
    own_dates = pd.DatetimeIndex(dates)
    expected = traded.calendar[traded.calendar >= first]
    absent = expected[expected <= last].difference(own_dates)
    off_calendar = own_dates.difference(expected)
    missing_share = len(absent) / max(len(expected), 1)
    off_share = len(off_calendar) / len(own_dates)
    shared_rows = rows[rows >= first]
    overlap = shared_rows.isin(own_dates).sum() / max(len(shared_rows), 1)
    return [
        history,
        _check_staleness(symbol, last.date(), int((expected > last).sum())),
        CheckResult(
            "missing_sessions",
            "drop_asset" if missing_share > MAX_MISSING_SHARE else "warn",
            absent.difference(traded.silent).empty and missing_share <= MAX_MISSING_SHARE,
            f"{symbol}: no bar on {len(absent)} of {len(expected)} sessions of its calendar "
            f"{asset.exchange.calendar} since {first.date()}; up to {MAX_MISSING_SHARE:.0%} are "
            "bridged by the last price",
            symbol=symbol,
            observed=missing_share,
            allowed=MAX_MISSING_SHARE,
        ),
        CheckResult(
            "off_calendar_bars",
            "drop_asset" if off_share > MAX_OFF_CALENDAR_SHARE else "warn",
            off_calendar.difference(traded.special).empty and off_share <= MAX_OFF_CALENDAR_SHARE,
            f"{symbol}: {len(off_calendar)} of {len(own_dates)} bars lie on dates that its "
            f"calendar {asset.exchange.calendar} does not know; more than "
            f"{MAX_OFF_CALENDAR_SHARE:.0%} mean that its dates are shifted",
            symbol=symbol,
            observed=off_share,
            allowed=MAX_OFF_CALENDAR_SHARE,
        ),
        CheckResult(
            "overlap",
            "drop_asset",
            bool(overlap >= MIN_OVERLAP),
            f"{symbol}: it has bars on {overlap:.0%} of the run's {len(shared_rows)} rows since "
            f"{first.date()}, at least {MIN_OVERLAP:.0%} are needed; the others would only repeat "
            "its last price",
            symbol=symbol,
            observed=float(overlap),
            allowed=MIN_OVERLAP,
        ),
    ]


def _check_staleness(symbol: str, last: date, stale: int) -> CheckResult:
    severity: Severity = "drop_asset" if stale > MAX_STALE_SESSIONS else "warn"
    return CheckResult(
        "staleness",
        severity,
        stale == 0,
        f"{symbol}: its last bar is of {last}, {stale} sessions before the as-of date; at most "
        f"{MAX_STALE_SESSIONS} are bridged",
        symbol=symbol,
        observed=stale,
        allowed=MAX_STALE_SESSIONS,
    )
