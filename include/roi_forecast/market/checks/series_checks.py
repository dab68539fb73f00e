"""Is the stored series of an asset long, recent and complete enough to be used?"""

from __future__ import annotations

from datetime import date

import pandas as pd

from roi_forecast.market.checks.check_results import CheckResult, Severity
from roi_forecast.market.reference_sessions import TradedDates
from roi_forecast.number_text import percent
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset

MINIMUM_WINDOWS = 50
"""Windows that an asset's own bars must allow, so that every part of the split gets some."""

MAX_STALE_SESSIONS = 3
"""Sessions without a bar before the as-of date that the last price may bridge."""

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
    last_date: date,
    reference: str | None = None,
) -> list[CheckResult]:
    """Check the dates of one asset.

    The shares that exclude an asset refer to the plain calendar, so that a fault which affects all
    assets alike is seen. Dates that its neighbours share cause no warning.

    Args:
        asset: The asset.
        dates: Trading dates of its stored bars, up to the last date.
        traded: The dates on which the assets of its calendar traded.
        rows: Reference sessions of the run, which may be of another calendar.
        run: Gives the history that a dataset needs.
        last_date: The last date on which it should have a bar if that is a session.
        reference: The calendar of the rows; None: the asset's own.

    Returns:
        One result for each of `SERIES_CHECKS`; only `history` if there are no bars.
    """
    symbol, calendar = asset.symbol, asset.exchange.calendar

    def result(
        check_name: str,
        passed: bool,
        message: str,
        observed: float,
        allowed: float,
        severity: Severity = "drop_asset",
    ) -> CheckResult:
        return CheckResult(
            check_name,
            severity,
            bool(passed),
            f"{symbol}: {message}",
            symbol=symbol,
            observed=float(observed),
            allowed=allowed,
        )

    needed = run.config.seq_len + run.config.smoothing + MINIMUM_WINDOWS
    history = result(
        "history",
        len(dates) >= needed,
        f"{len(dates)} bars from {run.start_date} to {last_date}; at least {needed} are "
        f"needed (seq_len + smoothing + {MINIMUM_WINDOWS})",
        len(dates),
        needed,
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
    stale = int((expected > last).sum())
    return [
        history,
        result(
            "staleness",
            stale == 0,
            f"its last bar is of {last.date()}, {stale} sessions before {last_date}; at most "
            f"{MAX_STALE_SESSIONS} are bridged",
            stale,
            MAX_STALE_SESSIONS,
            "drop_asset" if stale > MAX_STALE_SESSIONS else "warn",
        ),
        result(
            "missing_sessions",
            absent.difference(traded.silent).empty and missing_share <= MAX_MISSING_SHARE,
            f"no bar on {len(absent)} of {len(expected)} sessions of its calendar {calendar} since "
            f"{first.date()}; up to {percent(MAX_MISSING_SHARE)} are bridged by the last price",
            missing_share,
            MAX_MISSING_SHARE,
            "drop_asset" if missing_share > MAX_MISSING_SHARE else "warn",
        ),
        result(
            "off_calendar_bars",
            off_calendar.difference(traded.special).empty and off_share <= MAX_OFF_CALENDAR_SHARE,
            f"{len(off_calendar)} of {len(own_dates)} bars lie on dates outside its calendar "
            f"{calendar}; more than {percent(MAX_OFF_CALENDAR_SHARE)} mean that its dates are "
            "shifted",
            off_share,
            MAX_OFF_CALENDAR_SHARE,
            "drop_asset" if off_share > MAX_OFF_CALENDAR_SHARE else "warn",
        ),
        result(
            "overlap",
            overlap >= MIN_OVERLAP,
            f"it has bars on {percent(overlap)} of the run's {len(shared_rows)} rows since "
            f"{first.date()}, at least {percent(MIN_OVERLAP)} are needed; the others would only "
            "repeat its last price" + _why_rows_differ(calendar, reference),
            overlap,
            MIN_OVERLAP,
        ),
    ]


def _why_rows_differ(calendar: str, reference: str | None) -> str:
    if reference is None or reference == calendar:
        return ""
    return (
        f". Rows are sessions of {reference}, the calendar of most assets, but it trades on those "
        f"of {calendar}: forecast it in a run with assets of its calendar, or leave out assets of "
        f"{reference}"
    )
