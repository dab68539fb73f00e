"""Are the stored prices of a run usable, asset by asset, and are there enough of them?"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, Engine, select

from roi_forecast.database.tables import extractions, price_checks
from roi_forecast.errors import PriceCheckError
from roi_forecast.market.checks.check_results import (
    MAX_NAMED,
    CheckResult,
    extraction_result,
    log_failures,
    replace_results,
)
from roi_forecast.market.checks.context_checks import CONTEXT_CHECK, check_context
from roi_forecast.market.checks.series_checks import SERIES_CHECKS, check_series
from roi_forecast.market.reference_sessions import TradedDates, compare_with_calendar
from roi_forecast.market.stored_bars import StoredBars
from roi_forecast.number_text import percent
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe, reference_exchange

logger = logging.getLogger(__name__)

ASSET_CHECKS = ("extraction", *SERIES_CHECKS, "usable")
RUN_CHECKS = ("quorum", "as_of_session")


@dataclass(frozen=True)
class PriceCheckReport:
    """The results of all checks of a run's prices.

    Attributes:
        usable: The run's symbols that passed, in the run's order.
        missing: The reason for each of the others.
        results: Every single result, as stored in `price_checks`.
    """

    usable: tuple[str, ...]
    missing: Mapping[str, str]
    results: tuple[CheckResult, ...]


def check_prices(engine: Engine, run: ResolvedRun) -> PriceCheckReport:
    """Check the stored prices of a run and store the results.

    Every extracted asset is checked, including those of the serving champion; the quorum counts
    only the run's own symbols. An asset whose extraction failed is usable if its stored prices are.
    What fails for a context asset is a warning.

    Args:
        engine: Of the market database.
        run: Gives assets and dates; nothing after its as-of date is read.

    Raises:
        PriceCheckError: Fewer assets are usable than the quorum requires; names the others and why.
            Or no asset of the reference calendar has a bar on the as-of date.
    """
    symbols = run.asset_symbols
    with engine.connect() as connection:
        stored = StoredBars(
            connection, run.source_key, symbols, run.start_date, run.as_of_date, values=()
        )
        # Not joined: the dates of thousands of assets would be in memory twice.
        bars = list(stored)
        failures = _extraction_failures(connection, run)
        context = check_context(connection, run, failures)
    assets = load_universe().select(symbols)
    traded = _traded_dates(bars, assets, run)
    reference = reference_exchange(run.assets).calendar
    rows = traded[reference].dates
    dates = {
        symbol: own["trading_date"] for block in bars for symbol, own in block.groupby("symbol")
    }
    no_dates = pd.Series(dtype="datetime64[us]")
    results: list[CheckResult] = []
    reasons: dict[str, str] = {}
    for asset in assets:
        symbol, failure = asset.symbol, failures.get(asset.symbol)
        own = [
            extraction_result(symbol, failure),
            *check_series(
                asset,
                dates.get(symbol, no_dates),
                traded[asset.exchange.calendar],
                rows,
                run,
                run.as_of_date,
                reference,
            ),
        ]
        failed = [r.message for r in own if not r.passed and r.severity == "drop_asset"]
        if failed:
            # The error of the source explains best why prices are missing.
            reasons[symbol] = "; ".join([*([failure] if failure else []), *failed])
        results += own

    usable = tuple(symbol for symbol in run.config.symbols if symbol not in reasons)
    missing = {symbol: reasons[symbol] for symbol in run.config.symbols if symbol in reasons}
    results += [
        CheckResult(
            "usable",
            "drop_asset",
            symbol not in missing,
            missing.get(symbol, f"{symbol}: its prices are usable"),
            symbol=symbol,
        )
        for symbol in run.config.symbols
    ]
    failed_count = sum(failures[symbol] is not None for symbol in symbols)
    run_results = [
        _check_quorum(run, usable, missing),
        _check_as_of_session(run, rows, f"{failed_count} of {len(symbols)}"),
    ]
    results += [*context, *run_results]
    with engine.begin() as connection:
        replace_results(
            connection,
            run.run_id,
            run.source_key,
            (*ASSET_CHECKS, CONTEXT_CHECK, *RUN_CHECKS),
            results,
        )
    # The results that these sum up are logged.
    log_failures(r for r in results if r.check_name not in {"usable", CONTEXT_CHECK})
    logger.info("%d of %d assets have usable prices", len(usable), len(run.config.symbols))
    for result in run_results:
        if not result.passed:
            raise PriceCheckError(result.message)
    return PriceCheckReport(usable, missing, tuple(results))


def usable_symbols(connection: Connection, run_id: str) -> tuple[str, ...]:
    """Return the run's symbols whose prices passed `check_prices`, in the run's order."""
    return _found(connection, run_id, "usable", passed=True)


def usable_context_symbols(connection: Connection, run_id: str) -> tuple[str, ...]:
    """Return the context assets that passed `check_prices`: the run's, then the champion's."""
    return _found(connection, run_id, CONTEXT_CHECK, passed=True)


def refused_context_symbols(connection: Connection, run_id: str) -> tuple[str, ...]:
    """Return the context assets that failed `check_prices`; those not checked are not refused."""
    return _found(connection, run_id, CONTEXT_CHECK, passed=False)


def _found(
    connection: Connection, run_id: str, check_name: str, *, passed: bool
) -> tuple[str, ...]:
    return tuple(
        connection.scalars(
            select(price_checks.c.symbol)
            .where(
                price_checks.c.run_id == run_id,
                price_checks.c.check_name == check_name,
                price_checks.c.passed == passed,
            )
            .order_by(price_checks.c.id)
        )
    )


def _extraction_failures(connection: Connection, run: ResolvedRun) -> dict[str, str | None]:
    """Return the failure of each asset's extraction, None where it succeeded."""
    rows = connection.execute(
        select(extractions.c.symbol, extractions.c.error).where(extractions.c.run_id == run.run_id)
    )
    found = {row.symbol: row.error for row in rows}
    return {
        symbol: found.get(symbol, "this run has not extracted it")
        for symbol in run.extraction_symbols
    }


def _traded_dates(
    bars: Sequence[pd.DataFrame], assets: Sequence[Asset], run: ResolvedRun
) -> dict[str, TradedDates]:
    groups: dict[str, list[Asset]] = defaultdict(list)
    for asset in assets:
        groups[asset.exchange.calendar].append(asset)
    return {
        calendar: compare_with_calendar(bars, group, run.start_date, run.as_of_date)
        for calendar, group in groups.items()
    }


def _check_quorum(
    run: ResolvedRun, usable: tuple[str, ...], missing: Mapping[str, str]
) -> CheckResult:
    share = len(usable) / len(run.config.symbols)
    named = "; ".join([*missing.values()][:MAX_NAMED])
    if len(missing) > MAX_NAMED:
        named += f"; and {len(missing) - MAX_NAMED} more, each with its reason in roi.price_checks"
    return CheckResult(
        "quorum",
        "stop_run",
        share >= run.config.quorum,
        f"{len(usable)} of {len(run.config.symbols)} assets have usable prices, the quorum is "
        f"{percent(run.config.quorum)}" + (f"; not usable: {named}" if named else ""),
        observed=share,
        allowed=run.config.quorum,
    )


def _check_as_of_session(run: ResolvedRun, rows: pd.DatetimeIndex, failed: str) -> CheckResult:
    calendar = reference_exchange(run.assets).calendar
    return CheckResult(
        "as_of_session",
        "stop_run",
        pd.Timestamp(run.as_of_date) in rows,
        f"no asset of the calendar {calendar} has a bar on the as-of date {run.as_of_date}: an "
        f"unannounced holiday, or the source does not have the prices yet ({failed} extractions "
        "failed); choose an earlier as_of_date, or run again later",
        trading_date=run.as_of_date,
    )
