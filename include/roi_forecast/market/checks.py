"""Whether the stored prices of a run can be trusted, asset by asset, and whether enough can."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from sqlalchemy import Connection, Engine, select

from roi_forecast.database.tables import extractions, price_checks
from roi_forecast.errors import PriceCheckError
from roi_forecast.market.calendars import TradedDates, compare_with_calendar
from roi_forecast.market.check_results import CheckResult, Severity, replace_results
from roi_forecast.market.store import load_bars
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe

logger = logging.getLogger(__name__)

MINIMUM_WINDOWS = 50
"""Windows an asset's own bars must allow, so that every part of the split gets some."""

MAX_STALE_SESSIONS = 3
"""Sessions without a bar before the as-of date that are bridged by the last price."""

MAX_MISSING_SHARE = 0.2
"""Share of the sessions since its first bar that an asset may lack."""

MAX_OFF_CALENDAR_SHARE = 0.05
"""Share of bars that may lie outside the asset's calendar; dates shifted by a day give a fifth."""

SERIES_CHECKS = (
    "extraction",
    "history",
    "staleness",
    "missing_sessions",
    "off_calendar_bars",
    "usable",
)
RUN_CHECKS = ("quorum",)


@dataclass(frozen=True)
class PriceCheckReport:
    """The verdict on a run's prices.

    Attributes:
        usable: The run's symbols that passed, in the run's order.
        missing: Why each of the others did not.
        results: Every single verdict, as stored in `price_checks`.
    """

    usable: tuple[str, ...]
    missing: Mapping[str, str]
    results: tuple[CheckResult, ...]


def check_prices(engine: Engine, run: ResolvedRun) -> PriceCheckReport:
    """Judge the stored prices of a run and store the verdicts.

    Every extracted asset is judged, the serving champion's too; the quorum counts the run's own
    symbols. An asset whose extraction failed stays usable if what is stored passes.

    Args:
        engine: Of the market database.
        run: Says which assets and dates; nothing after its as-of date is looked at.

    Raises:
        PriceCheckError: Fewer assets are usable than the quorum asks; names the others and why.
    """
    symbols = run.extraction_symbols
    with engine.connect() as connection:
        bars = load_bars(connection, run.source_key, symbols, run.start_date, run.as_of_date)
        errors = _extraction_errors(connection, run)
    assets = load_universe().select(symbols)
    traded = _traded_dates(bars, assets, run)
    dates = {symbol: rows["trading_date"] for symbol, rows in bars.groupby("symbol")}
    no_dates = pd.Series(dtype="datetime64[us]")
    results: list[CheckResult] = []
    reasons: dict[str, str] = {}
    for asset in assets:
        own = [
            _check_extraction(asset, errors),
            *_check_series(
                asset, dates.get(asset.symbol, no_dates), traded[asset.exchange.calendar], run
            ),
        ]
        failed = [r.message for r in own if not r.passed and r.severity == "drop_asset"]
        if failed:
            # The source's own words explain best why prices are missing.
            reasons[asset.symbol] = "; ".join([*_failure(asset, errors), *failed])
        results += own

    usable = tuple(symbol for symbol in run.config.symbols if symbol not in reasons)
    missing = {symbol: reasons[symbol] for symbol in run.config.symbols if symbol in reasons}
    results += [
        CheckResult(
            "usable",
            "drop_asset",
            symbol not in missing,
            missing.get(symbol, f"{symbol}: its prices can be used"),
            symbol=symbol,
        )
        for symbol in run.config.symbols
    ]
    quorum = _check_quorum(run, usable, missing)
    results.append(quorum)
    with engine.begin() as connection:
        replace_results(
            connection, run.run_id, run.source_key, (*SERIES_CHECKS, *RUN_CHECKS), results
        )
    for result in results:
        if not result.passed and result.check_name != "usable":
            logger.warning("%s", result.message)
    logger.info("%d of %d assets have usable prices", len(usable), len(run.config.symbols))
    if not quorum.passed:
        raise PriceCheckError(quorum.message)
    return PriceCheckReport(usable, missing, tuple(results))


def usable_symbols(connection: Connection, run_id: str) -> tuple[str, ...]:
    """Return the run's symbols whose prices passed `check_prices`, in the run's order."""
    return tuple(
        connection.scalars(
            select(price_checks.c.symbol)
            .where(
                price_checks.c.run_id == run_id,
                price_checks.c.check_name == "usable",
                price_checks.c.passed,
            )
            .order_by(price_checks.c.id)
        )
    )


def _extraction_errors(connection: Connection, run: ResolvedRun) -> dict[str, str | None]:
    rows = connection.execute(
        select(extractions.c.symbol, extractions.c.error).where(extractions.c.run_id == run.run_id)
    )
    return {row.symbol: row.error for row in rows}


def _failure(asset: Asset, errors: Mapping[str, str | None]) -> list[str]:
    if asset.symbol not in errors:
        return [f"{asset.symbol}: this run has not extracted it"]
    error = errors[asset.symbol]
    return [error] if error else []


def _check_extraction(asset: Asset, errors: Mapping[str, str | None]) -> CheckResult:
    failure = _failure(asset, errors)
    message = f"{asset.symbol}: extraction failed, stored prices are used where they suffice"
    return CheckResult(
        "extraction",
        "warn",
        not failure,
        f"{message}: {failure[0]}" if failure else f"{asset.symbol}: extracted",
        symbol=asset.symbol,
    )


def _traded_dates(
    bars: pd.DataFrame, assets: Sequence[Asset], run: ResolvedRun
) -> dict[str, TradedDates]:
    groups: dict[str, list[Asset]] = {}
    for asset in assets:
        groups.setdefault(asset.exchange.calendar, []).append(asset)
    return {
        calendar: compare_with_calendar(bars, group, run.start_date, run.as_of_date)
        for calendar, group in groups.items()
    }


def _check_series(
    asset: Asset, dates: pd.Series[pd.Timestamp], traded: TradedDates, run: ResolvedRun
) -> list[CheckResult]:
    """Judge one asset's dates.

    Shares that cost an asset its place are of the plain calendar, so that a fault which hits all
    assets alike shows; dates on which its neighbours did the same are not worth a warning.
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


def _check_quorum(
    run: ResolvedRun, usable: tuple[str, ...], missing: Mapping[str, str]
) -> CheckResult:
    share = len(usable) / len(run.config.symbols)
    named = "; ".join(missing.values())
    return CheckResult(
        "quorum",
        "stop_run",
        share >= run.config.quorum,
        f"{len(usable)} of {len(run.config.symbols)} assets have usable prices, the quorum is "
        f"{run.config.quorum:.0%}" + (f"; not usable: {named}" if named else ""),
        observed=share,
        allowed=run.config.quorum,
    )
