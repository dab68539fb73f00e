"""Can the stored prices of a context asset inform forecasts? A failure is only ever a warning."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date

from sqlalchemy import Connection

from roi_forecast.market.checks.check_results import CheckResult, extraction_result
from roi_forecast.market.checks.series_checks import check_series
from roi_forecast.market.reference_sessions import compare_with_calendar
from roi_forecast.market.stored_bars import load_bars
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe

CONTEXT_CHECK = "usable_context"


def check_context(
    connection: Connection, run: ResolvedRun, failures: Mapping[str, str | None]
) -> list[CheckResult]:
    """Check the series of each context asset, of the run and of the serving champion.

    It is held to the limits of an asset, but need not share rows with the others: a date without a
    bar is a move of zero. A few missing bars at its end leave it usable.

    Args:
        connection: Any connection.
        run: Gives the context assets and the last date of each.
        failures: Why the extraction of each extracted symbol failed, None where it succeeded.

    Returns:
        For each context asset the results of its extraction and its series, unless it is one of the
        assets as well, and at last CONTEXT_CHECK: whether forecasts may use it.
    """
    results = []
    for asset, series in _check_all_dates(connection, run):
        failure = failures[asset.symbol]
        reasons = [r.message for r in series if not r.passed and r.severity == "drop_asset"]
        if reasons and failure is not None:
            reasons.insert(0, failure)
        if asset.symbol not in run.asset_symbols:
            results.append(extraction_result(asset.symbol, failure))
            results += [dataclasses.replace(result, severity="warn") for result in series]
        message = f"{asset.symbol}: it informs the forecasts"
        if reasons:
            message = f"{asset.symbol}: forecasts are made without it: {'; '.join(reasons)}"
        results.append(
            CheckResult(CONTEXT_CHECK, "warn", not reasons, message, symbol=asset.symbol)
        )
    return results


def _check_all_dates(
    connection: Connection, run: ResolvedRun
) -> Iterator[tuple[Asset, list[CheckResult]]]:
    """Give each context asset with the results of its series."""
    assets = load_universe().select(run.all_context_symbols)
    # Assets that share calendar and last date tell together when their exchange was closed.
    groups: dict[tuple[str, date], list[Asset]] = defaultdict(list)
    for asset in assets:
        groups[asset.exchange.calendar, run.last_date(asset)].append(asset)
    results = {}
    for (_, last_date), group in groups.items():
        symbols = [asset.symbol for asset in group]
        bars = load_bars(connection, run.source_key, symbols, run.start_date, last_date, ())
        traded = compare_with_calendar(bars, group, run.start_date, last_date)
        for asset in group:
            dates = bars.loc[bars["symbol"] == asset.symbol, "trading_date"]
            results[asset.symbol] = [
                result
                for result in check_series(asset, dates, traded, traded.dates, run, last_date)
                if result.check_name != "overlap"
            ]
    for asset in assets:
        yield asset, results[asset.symbol]
