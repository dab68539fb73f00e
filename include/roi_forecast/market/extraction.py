"""Fetching the prices of one asset for one run: incremental, checked, repeatable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.database.tables import daily_prices, extractions
from roi_forecast.market.bar_checks import BAR_CHECKS, VOLATILITY_BARS, split_doubted
from roi_forecast.market.check_results import CheckResult, replace_results
from roi_forecast.market.source import PriceSource
from roi_forecast.market.store import load_bars, register_assets, upsert_bars
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe

logger = logging.getLogger(__name__)

OVERLAP_BARS = 10
"""Stored bars that are fetched again: late corrections and restated history show in them."""

RESTATEMENT_TOLERANCE = 1e-5
"""Relative change of the oldest overlapping bar above which all history counts as restated."""

RESTATEMENT_CHECK = "restated_history"


@dataclass(frozen=True)
class ExtractionResult:
    """What the extraction of one asset did.

    Attributes:
        symbol: The asset.
        requested_start: First date asked of the source.
        requested_end: Last date asked of the source: the run's as-of date.
        fetched: Bars the source gave, including those dropped.
        dropped: Bars in doubt, which were not stored.
        changed: Rows inserted or changed in the database.
        restated: Whether the source had restated the asset's history, so that all was fetched.
    """

    symbol: str
    requested_start: date
    requested_end: date
    fetched: int
    dropped: int
    changed: int
    restated: bool


def extract_prices(
    engine: Engine, run: ResolvedRun, symbol: str, source: PriceSource, *, now: datetime
) -> ExtractionResult:
    """Bring the stored prices of one asset up to the run's as-of date.

    If earlier extractions cover the run's start without a hole, only what follows them is fetched,
    plus an overlap; else the whole range. Only bars that were final at `now` and that no bar check
    doubts are stored. A failure is recorded in `extractions` and raised again; prices stored before
    stay as they were.

    Args:
        engine: Of the market database.
        run: Says from when to when; nothing after its as-of date is stored.
        symbol: The asset.
        source: Where prices come from.
        now: The moment to judge finality from, with time zone.

    Raises:
        SourceUnavailableError: No usable answer now; a retry may help.
        SourceDataError: An answer that must not be stored; a retry will not help.
        UniverseError: The symbol's exchange is not declared.
    """
    asset = load_universe().asset(symbol)
    start = run.start_date
    try:
        with engine.connect() as connection:
            start = _first_date_to_fetch(connection, run, symbol)
        fetched = source.fetch(asset, start, run.as_of_date)
        with engine.connect() as connection:
            restatement = _find_restatement(connection, run, symbol, fetched)
            first_stored = _first_stored_date(connection, run, symbol)
        if restatement and first_stored and first_stored < start:
            start = min(run.start_date, first_stored)
            logger.warning("%s; fetching all of it again from %s", restatement.message, start)
            fetched = source.fetch(asset, start, run.as_of_date)
        final = _keep_final(fetched, asset, run.as_of_date, now)
        with engine.begin() as connection:
            register_assets(connection, [asset])
            earlier = [] if restatement else _closes_before(connection, run, symbol, final)
            believed, doubted = split_doubted(symbol, final, earlier)
            changed = upsert_bars(connection, run.source_key, believed.assign(symbol=symbol))
            replace_results(
                connection,
                run.run_id,
                run.source_key,
                (*BAR_CHECKS, RESTATEMENT_CHECK),
                [*doubted, *([restatement] if restatement else [])],
                symbol=symbol,
            )
            _record(connection, run, symbol, start, rows=changed)
    except Exception as error:
        with engine.begin() as connection:
            _record(connection, run, symbol, start, error=f"{type(error).__name__}: {error}")
        logger.warning("%s: extraction failed: %s", symbol, error)
        raise
    for result in doubted:
        logger.warning("%s", result.message)
    logger.info(
        "%s: %d bars from %s to %s, %d dropped as doubtful, %d rows inserted or changed",
        symbol,
        len(fetched),
        start,
        run.as_of_date,
        len(doubted),
        changed,
    )
    return ExtractionResult(
        symbol=symbol,
        requested_start=start,
        requested_end=run.as_of_date,
        fetched=len(fetched),
        dropped=len(doubted),
        changed=changed,
        restated=restatement is not None,
    )


def _first_date_to_fetch(connection: Connection, run: ResolvedRun, symbol: str) -> date:
    """Return the run's start, or the first bar of the overlap where earlier runs cover the rest."""
    spans = connection.execute(
        select(extractions.c.requested_start, extractions.c.requested_end)
        .where(
            extractions.c.source == run.source_key,
            extractions.c.symbol == symbol,
            extractions.c.status == "ok",
            extractions.c.requested_end >= run.start_date,
        )
        .order_by(extractions.c.requested_start)
    )
    covered_until: date | None = None
    for start, end in spans:
        reach = run.start_date if covered_until is None else covered_until + timedelta(days=1)
        if start <= reach:
            covered_until = max(end, covered_until or end)
    if covered_until is None:
        return run.start_date
    overlap = connection.scalars(
        select(daily_prices.c.trading_date)
        .where(
            daily_prices.c.source == run.source_key,
            daily_prices.c.symbol == symbol,
            daily_prices.c.trading_date.between(run.start_date, min(covered_until, run.as_of_date)),
        )
        .order_by(daily_prices.c.trading_date.desc())
        .limit(OVERLAP_BARS)
    ).all()
    return overlap[-1] if len(overlap) == OVERLAP_BARS else run.start_date


def _find_restatement(
    connection: Connection, run: ResolvedRun, symbol: str, fetched: pd.DataFrame
) -> CheckResult | None:
    """Compare the oldest bar that is both stored and fetched.

    A split or dividend inside the overlap rescales every bar before it, so it shows in the oldest
    one; a corrected single bar later in the overlap does not.
    """
    stored = load_bars(
        connection,
        run.source_key,
        [symbol],
        fetched["trading_date"].min().date(),
        run.as_of_date,
    )
    both = fetched.dropna().merge(stored, on="trading_date", suffixes=("", "_stored"))
    if both.empty:
        return None
    oldest = both.iloc[0]
    ratios = [oldest[name] / oldest[f"{name}_stored"] for name in ("close", "adj_close")]
    change = max(abs(ratio - 1) for ratio in ratios)
    if change <= RESTATEMENT_TOLERANCE:
        return None
    return CheckResult(
        check_name=RESTATEMENT_CHECK,
        severity="warn",
        passed=False,
        message=(
            f"{symbol}: the source restated history: on {oldest['trading_date']:%Y-%m-%d} close "
            f"and adj_close are {ratios[0]:.6g} and {ratios[1]:.6g} times what was stored"
        ),
        symbol=symbol,
        trading_date=oldest["trading_date"].date(),
        observed=ratios[1],
        allowed=RESTATEMENT_TOLERANCE,
    )


def _first_stored_date(connection: Connection, run: ResolvedRun, symbol: str) -> date | None:
    first: date | None = connection.scalar(
        select(func.min(daily_prices.c.trading_date)).where(
            daily_prices.c.source == run.source_key, daily_prices.c.symbol == symbol
        )
    )
    return first


def _closes_before(
    connection: Connection, run: ResolvedRun, symbol: str, bars: pd.DataFrame
) -> Sequence[float]:
    if bars.empty:
        return []
    newest_first = connection.scalars(
        select(daily_prices.c.adj_close)
        .where(
            daily_prices.c.source == run.source_key,
            daily_prices.c.symbol == symbol,
            daily_prices.c.trading_date < bars["trading_date"].min().date(),
        )
        .order_by(daily_prices.c.trading_date.desc())
        .limit(VOLATILITY_BARS)
    ).all()
    return newest_first[::-1]


def _keep_final(bars: pd.DataFrame, asset: Asset, as_of_date: date, now: datetime) -> pd.DataFrame:
    """Return the bars up to the as-of date that can no longer change."""
    days = bars["trading_date"].dt.date
    final = (days <= as_of_date) & days.map(lambda day: asset.exchange.final_at(day) <= now)
    unfinished = int((days <= as_of_date).sum() - final.sum())
    if unfinished:
        logger.info("%s: %d bars are not final yet and are left out", asset.symbol, unfinished)
    kept: pd.DataFrame = bars[final].reset_index(drop=True)
    return kept


def _record(
    connection: Connection,
    run: ResolvedRun,
    symbol: str,
    start: date,
    *,
    rows: int = 0,
    error: str | None = None,
) -> None:
    values = {
        "source": run.source_key,
        "requested_start": start,
        "requested_end": run.as_of_date,
        "status": "ok" if error is None else "failed",
        "rows": rows,
        "error": error,
        "finished_at": func.now(),
    }
    statement = insert(extractions).values(run_id=run.run_id, symbol=symbol, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["run_id", "symbol"], set_=values)
    )
