"""Extracting many assets: in batches, each of which continues after a failure."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, exists, select

from roi_forecast.database.tables import extractions
from roi_forecast.errors import SourceError, SourceUnavailableError
from roi_forecast.market.checks.check_results import log_failures
from roi_forecast.market.extraction import ExtractionResult, extract_prices
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.runs.resolved_run import ResolvedRun

logger = logging.getLogger(__name__)

MAX_BATCHES = 200
"""Maximum number of tasks per extraction, far below Airflow's max_map_length of 1,024."""

_LOG_EVERY = 10


def extraction_batches(symbols: Sequence[str], max_batches: int = MAX_BATCHES) -> list[list[str]]:
    """Divide the symbols evenly into at most `max_batches` batches.

    Up to `max_batches` assets get a task each, so that each shows in Airflow; more assets share
    tasks, since every task costs the scheduler time.
    """
    count = min(len(symbols), max_batches)
    bounds = [len(symbols) * number // count for number in range(count + 1)] if count else [0]
    return [list(symbols[start:stop]) for start, stop in itertools.pairwise(bounds)]


def extract_batch(
    engine: Engine,
    run: ResolvedRun,
    symbols: Sequence[str],
    source: PriceSource,
    *,
    now: datetime,
    will_retry: bool = False,
) -> list[ExtractionResult]:
    """Extract the prices of some assets one after the other; a failure does not stop the others.

    The failure of a context asset is recorded but not raised, unless a retry may fix it or the
    source gave nothing for the whole run.

    Args:
        engine: Of the market database.
        run: Gives the dates, and which symbols are only context.
        symbols: The assets.
        source: The price source.
        now: The present, with time zone.
        will_retry: Whether the caller tries again after an error for which a retry may help.

    Raises:
        SourceUnavailableError: That of the first asset for which a retry may help; the retry
            fetches only an overlap for the assets that succeeded.
        SourceError: Otherwise that of the first asset that failed.
    """
    results = []
    failures: dict[str, SourceError] = {}
    for number, symbol in enumerate(symbols, start=1):
        try:
            results.append(extract_prices(engine, run, symbol, source, now=now))
        except SourceError as error:
            failures[symbol] = error
        if len(symbols) > 1 and number % _LOG_EVERY == 0:
            logger.info(
                "%d of %d assets of this batch, %d failed", number, len(symbols), len(failures)
            )
    log_failures(finding for result in results for finding in result.incomplete)
    if len(failures) > 1:
        logger.warning("%d of %d assets of this batch failed", len(failures), len(symbols))
    errors = [
        error
        for symbol, error in failures.items()
        if not _is_tolerable(engine, run, symbol, error, will_retry=will_retry)
    ]
    if errors:
        worth_a_retry = [error for error in errors if isinstance(error, SourceUnavailableError)]
        raise (worth_a_retry or errors)[0]
    return results


def _is_tolerable(
    engine: Engine, run: ResolvedRun, symbol: str, error: SourceError, *, will_retry: bool
) -> bool:
    """Tell whether a run may continue without an asset: a context asset that alone fails.

    What a retry may fix is worth one. If nothing of the run could be extracted, the source is at
    fault, not the asset.
    """
    if symbol in run.asset_symbols:
        return False
    if not isinstance(error, SourceUnavailableError):
        return True
    if will_retry:
        return False
    with engine.connect() as connection:
        any_extracted = exists().where(
            extractions.c.run_id == run.run_id,
            # A run resolved again may have another source.
            extractions.c.source == run.source_key,
            extractions.c.status == "ok",
        )
        return bool(connection.scalar(select(any_extracted)))
