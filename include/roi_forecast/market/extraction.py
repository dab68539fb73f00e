"""Fetching the prices of assets for a run: incremental, checked and repeatable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from roi_forecast.database.tables import daily_prices, extractions
from roi_forecast.market.checks.bar_checks import (
    BAR_CHECKS,
    VOLATILITY_BARS,
    empty_invalid_volumes,
    split_doubted,
)
from roi_forecast.market.checks.check_results import CheckResult, replace_results
from roi_forecast.market.missing_columns import INCOMPLETE_CHECK, incomplete_bars
from roi_forecast.market.restatement import (
    RESTATEMENT_CHECK,
    find_restatement,
    record_restatement,
    require_complete,
)
from roi_forecast.market.sources.source import FetchedBars, PriceSource
from roi_forecast.market.stated import Stated
from roi_forecast.market.store import register_assets, replace_bars, upsert_bars
from roi_forecast.market.stored_bars import first_and_last_date, load_bars
from roi_forecast.runs.resolved_run import ResolvedRun
from roi_forecast.universe import Asset, load_universe

logger = logging.getLogger(__name__)

OVERLAP_BARS = 10
"""Stored bars that are fetched again to reveal late corrections and restated history."""

JOINT_DAYS = timedelta(days=7)
"""Days that two extractions must share to count as one, so that their bars were compared."""


@dataclass(frozen=True)
class ExtractionResult:
    """The result of extracting one asset.

    Attributes:
        symbol: The asset.
        fetched: Bars received from the source, including dropped ones.
        dropped: Doubtful bars, which are not stored.
        changed: Rows inserted, changed or removed in the database.
        restated: Whether the source had restated the asset's history, so that all was fetched.
        incomplete: What bars lack that may be missing: one failed check, or none.
    """

    symbol: str
    fetched: int
    dropped: int
    changed: int
    restated: bool
    incomplete: tuple[CheckResult, ...] = ()


def extract_prices(
    engine: Engine, run: ResolvedRun, symbol: str, source: PriceSource, *, now: datetime
) -> ExtractionResult:
    """Update the stored prices of one asset to the last date that the run may use of it.

    If earlier extractions cover the run's start without a gap, only later bars and an overlap are
    fetched, else the whole range. If the source has gained or lost a column since, all is fetched.
    If the overlap shows that the source has restated history, all stored bars are replaced in one
    transaction. Only bars that are final at `now` and pass the bar checks are stored. A failure is
    recorded in `extractions` and raised again; it leaves the stored prices as they are.

    Args:
        engine: Of the market database.
        run: Gives the dates; no bar after its `last_date` of the asset is added.
        symbol: The asset.
        source: The price source.
        now: The present, with time zone.

    Raises:
        SourceUnavailableError: No usable answer now; a retry may help.
        SourceDataError: An answer that must not be stored; a retry will not help.
        UniverseError: The symbol's exchange is not declared.
    """
    asset = load_universe().asset(symbol)
    start, end = run.start_date, run.last_date(asset)
    try:
        with engine.connect() as connection:
            start = _first_date_to_fetch(connection, run, symbol, end)
            stated = Stated.load(connection, run.source_key, symbol)
        answer, stored = _fetch_with_stored(engine, run, asset, source, start, end)
        stated.require_same_currency(run.source_key, symbol, answer)
        restatement = find_restatement(symbol, stored, answer.bars)
        has_other_columns = stated.has_other_columns(answer)
        if restatement or has_other_columns:
            why = f"{symbol}: the source has other columns than before"
            if restatement:
                why = restatement.as_result().message
            logger.warning("%s; fetching all of it again", why)
            with engine.connect() as connection:
                first, last = first_and_last_date(connection, run.source_key, symbol)
            # Up to the last stored bar, so that a run for a past date does not leave two scales.
            start = min(run.start_date, first)
            answer, stored = _fetch_with_stored(engine, run, asset, source, start, max(end, last))
            stated.require_same_currency(run.source_key, symbol, answer)
            # A corrected bar leaves the oldest one unchanged; a split or a dividend does not.
            restatement = find_restatement(symbol, stored, answer.bars)
        fetched = answer.bars
        is_wanted = fetched["trading_date"] <= pd.Timestamp(end)
        if restatement or has_other_columns:
            is_wanted |= fetched["trading_date"].isin(stored["trading_date"])
        final = _keep_final(fetched[is_wanted], asset, now)
        with engine.begin() as connection:
            register_assets(connection, [stated.describe(asset, answer)])
            # Bars that were not compared with the fetched ones may have another scale.
            comparable = restatement is None and not stored.empty
            earlier = _closes_before(connection, run, symbol, final) if comparable else []
            believed, doubted = split_doubted(symbol, final, earlier)
            incomplete = incomplete_bars(
                symbol, believed, answer.missing, context=run.is_context(symbol)
            )
            believed, emptied = empty_invalid_volumes(symbol, believed)
            if restatement:
                require_complete(symbol, stored, believed)
                changed = replace_bars(connection, run.source_key, symbol, believed)
                record_restatement(
                    connection, run.source_key, run.run_id, restatement, believed, changed
                )
            else:
                changed = upsert_bars(connection, run.source_key, believed.assign(symbol=symbol))
            replace_results(
                connection,
                run.run_id,
                run.source_key,
                (*BAR_CHECKS, INCOMPLETE_CHECK, RESTATEMENT_CHECK),
                [
                    *(*doubted, *incomplete, *emptied),
                    *([restatement.as_result()] if restatement else []),
                ],
                symbol=symbol,
            )
            _record(connection, run, symbol, start, end, rows=changed, answer=answer)
    except Exception as error:
        with engine.begin() as connection:
            reason = f"{type(error).__name__}: {error}"
            _record(connection, run, symbol, start, end, error=reason)
        logger.warning("%s%s: extraction failed: %s", symbol, _role(run, symbol), error)
        raise
    for result in (*doubted, *emptied):
        logger.warning("%s", result.message)
    logger.info(
        "%s%s: %d bars from %s to %s, %d dropped as doubtful, %d rows inserted or changed",
        symbol,
        _role(run, symbol),
        len(fetched),
        start,
        end,
        len(doubted),
        changed,
    )
    return ExtractionResult(
        symbol=symbol,
        fetched=len(fetched),
        dropped=len(doubted),
        changed=changed,
        restated=restatement is not None,
        incomplete=tuple(incomplete),
    )


def count_changed_rows(engine: Engine, run_id: str) -> int:
    """Return the number of bars that the extractions of a run inserted or changed."""
    with engine.connect() as connection:
        count = connection.scalar(
            select(func.sum(extractions.c.rows)).where(extractions.c.run_id == run_id)
        )
    return int(count or 0)


def _role(run: ResolvedRun, symbol: str) -> str:
    return " (context)" if run.is_context(symbol) else ""


def _first_date_to_fetch(
    connection: Connection, run: ResolvedRun, symbol: str, last_date: date
) -> date:
    """Return the run's start, or the first bar of the overlap if earlier runs cover the rest."""
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
        reach = run.start_date if covered_until is None else covered_until - JOINT_DAYS
        if start <= reach:
            covered_until = max(end, covered_until or end)
    if covered_until is None:
        return run.start_date
    overlap = connection.scalars(
        select(daily_prices.c.trading_date)
        .where(
            daily_prices.c.source == run.source_key,
            daily_prices.c.symbol == symbol,
            daily_prices.c.trading_date.between(run.start_date, min(covered_until, last_date)),
        )
        .order_by(daily_prices.c.trading_date.desc())
        .limit(OVERLAP_BARS)
    ).all()
    return overlap[-1] if len(overlap) == OVERLAP_BARS else run.start_date


def _fetch_with_stored(
    engine: Engine, run: ResolvedRun, asset: Asset, source: PriceSource, start: date, end: date
) -> tuple[FetchedBars, pd.DataFrame]:
    """Return the source's answer and the stored bars of the same dates."""
    fetched = source.fetch(asset, start, end)
    with engine.connect() as connection:
        return fetched, load_bars(connection, run.source_key, [asset.symbol], start, end)


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


def _keep_final(bars: pd.DataFrame, asset: Asset, now: datetime) -> pd.DataFrame:
    """Return the bars that are final at `now`."""
    final = bars["trading_date"] <= pd.Timestamp(asset.exchange.last_final_date(now))
    unfinished = len(bars) - int(final.sum())
    if unfinished:
        logger.info("%s: %d bars are not final yet and are ignored", asset.symbol, unfinished)
    kept: pd.DataFrame = bars[final].reset_index(drop=True)
    return kept


def _record(
    connection: Connection,
    run: ResolvedRun,
    symbol: str,
    start: date,
    end: date,
    *,
    rows: int = 0,
    error: str | None = None,
    answer: FetchedBars | None = None,
) -> None:
    values: dict[str, Any] = {
        "source": run.source_key,
        "context": run.is_context(symbol),
        "requested_start": start,
        "requested_end": end,
        "status": "ok" if error is None else "failed",
        "rows": rows,
        "error": error,
        "finished_at": func.now(),
    }
    # After a failure the stored bars are still those of an earlier attempt.
    if answer is not None:
        values |= {"missing_columns": list(answer.missing), "currency": answer.currency}
    statement = insert(extractions).values(run_id=run.run_id, symbol=symbol, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["run_id", "symbol"], set_=values)
    )
