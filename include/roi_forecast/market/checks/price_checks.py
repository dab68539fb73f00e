"""Whether the stored prices of a run can be trusted, asset by asset, and whether enough can."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, Engine, select

from roi_forecast.database.tables import extractions, price_checks
from roi_forecast.errors import PriceCheckError
from roi_forecast.market.calendars import TradedDates, compare_with_calendar
from roi_forecast.market.checks.check_results import CheckResult, replace_results
from roi_forecast.market.checks.series_checks import SERIES_CHECKS, check_series
from roi_forecast.market.store import load_bars
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe, reference_exchange

logger = logging.getLogger(__name__)

ASSET_CHECKS = ("extraction", *SERIES_CHECKS, "usable")
RUN_CHECKS = ("quorum", "as_of_session")
_NAMED_ASSETS = 3


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
        PriceCheckError: Fewer assets are usable than the quorum asks; names the others and why. Or
            the as-of date turns out to be no session: no asset of the reference calendar has a bar.
    """
    symbols = run.extraction_symbols
    with engine.connect() as connection:
        bars = load_bars(connection, run.source_key, symbols, run.start_date, run.as_of_date, ())
        errors = _extraction_errors(connection, run)
    assets = load_universe().select(symbols)
    traded = _traded_dates(bars, assets, run)
    rows = traded[reference_exchange(run.assets).calendar].dates
    dates = {symbol: own["trading_date"] for symbol, own in bars.groupby("symbol")}
    no_dates = pd.Series(dtype="datetime64[us]")
    results: list[CheckResult] = []
    reasons: dict[str, str] = {}
    for asset in assets:
        own = [
            _check_extraction(asset, errors),
            *check_series(
                asset, dates.get(asset.symbol, no_dates), traded[asset.exchange.calendar], rows, run
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
    run_results = [_check_quorum(run, usable, missing), _check_as_of_session(run, rows, errors)]
    results += run_results
    with engine.begin() as connection:
        replace_results(
            connection, run.run_id, run.source_key, (*ASSET_CHECKS, *RUN_CHECKS), results
        )
    _log_failures(result for result in results if result.check_name != "usable")
    logger.info("%d of %d assets have usable prices", len(usable), len(run.config.symbols))
    for result in run_results:
        if not result.passed:
            raise PriceCheckError(result.message)
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
        return ["this run has not extracted it"]
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


def _check_quorum(
    run: ResolvedRun, usable: tuple[str, ...], missing: Mapping[str, str]
) -> CheckResult:
    share = len(usable) / len(run.config.symbols)
    named = "; ".join([*missing.values()][:_NAMED_ASSETS])
    if len(missing) > _NAMED_ASSETS:
        named += (
            f"; and {len(missing) - _NAMED_ASSETS} more, each with its reason in roi.price_checks"
        )
    return CheckResult(
        "quorum",
        "stop_run",
        share >= run.config.quorum,
        f"{len(usable)} of {len(run.config.symbols)} assets have usable prices, the quorum is "
        f"{run.config.quorum:.0%}" + (f"; not usable: {named}" if named else ""),
        observed=share,
        allowed=run.config.quorum,
    )


def _check_as_of_session(
    run: ResolvedRun, rows: pd.DatetimeIndex, errors: Mapping[str, str | None]
) -> CheckResult:
    calendar = reference_exchange(run.assets).calendar
    failed = sum(error is not None for error in errors.values())
    return CheckResult(
        "as_of_session",
        "stop_run",
        pd.Timestamp(run.as_of_date) in rows,
        f"no asset of the calendar {calendar} has a bar on the as-of date {run.as_of_date}: an "
        "unannounced holiday, or prices that the source does not have yet "
        f"({failed} of {len(errors)} extractions failed); name an earlier as_of_date, or run again "
        "later",
        trading_date=run.as_of_date,
    )


def _log_failures(results: Iterable[CheckResult]) -> None:
    """Log one line for each finding, however many assets share it."""
    symbols: dict[str, list[str]] = {}
    for result in results:
        if not result.passed:
            finding = result.message.removeprefix(f"{result.symbol}: ")
            symbols.setdefault(finding, []).extend([result.symbol] if result.symbol else [])
    for finding, named in symbols.items():
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        logger.warning("%s%s", f"{', '.join(named[:3])}{more}: " if named else "", finding)
