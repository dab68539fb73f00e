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
from roi_forecast.settings import POOLS, PRICES_POOL

logger = logging.getLogger(__name__)

MAX_SINGLE = 32
"""Most assets of an extraction that get a task each, so that each shows in Airflow."""

BATCHES = 2 * POOLS[PRICES_POOL]
"""Tasks that more assets share, two for each slot: a task costs Airflow up to a second."""

MAX_UNANSWERED = 5
"""Assets in a row without an answer after which a batch waits for its next attempt."""

_LOG_EVERY = 10


def extraction_batches(symbols: Sequence[str]) -> list[list[str]]:
    """Give each symbol a batch of its own or, if there are many, divide them evenly."""
    count = len(symbols) if len(symbols) <= MAX_SINGLE else BATCHES
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
    done_since: datetime | None = None,
) -> list[ExtractionResult]:
    """Extract the prices of some assets one after the other; a failure does not stop the others.

    Only a source that gives no answer for several assets in a row is not asked for the rest, if
    there is a next attempt. The failure of a context asset is recorded but not raised, unless a
    retry may fix it or the source gave nothing for the whole run.

    Args:
        engine: Of the market database.
        run: Gives the dates, and which symbols are only context.
        symbols: The assets.
        source: The price source.
        now: The present, with time zone.
        will_retry: Whether the caller tries again after an error for which a retry may help.
        done_since: Start of the first attempt, if this is another one: what this run has extracted
            since is not asked for again.

    Returns:
        What this attempt extracted.

    Raises:
        SourceUnavailableError: That of the first asset for which a retry may help.
        SourceError: Otherwise that of the first asset that failed.
    """
    results = []
    failures: dict[str, SourceError] = {}
    done = set() if done_since is None else _extracted_since(engine, run, done_since)
    wanted = [symbol for symbol in symbols if symbol not in done]
    if len(wanted) < len(symbols):
        logger.info("%d assets have their prices already", len(symbols) - len(wanted))
    unanswered = 0
    for number, symbol in enumerate(wanted, start=1):
        try:
            results.append(extract_prices(engine, run, symbol, source, now=now))
        except SourceError as error:
            failures[symbol] = error
        failure = failures.get(symbol)
        unanswered = unanswered + 1 if isinstance(failure, SourceUnavailableError) else 0
        if len(wanted) > 1 and number % _LOG_EVERY == 0:
            logger.info(
                "%d of %d assets of this batch, %d failed", number, len(wanted), len(failures)
            )
        if will_retry and unanswered == MAX_UNANSWERED and number < len(wanted):
            logger.warning(
                "no answer for %d assets in a row: the next attempt asks for the other %d",
                unanswered,
                len(wanted) - number,
            )
            break
    log_failures(finding for result in results for finding in result.incomplete)
    if len(failures) > 1:
        logger.warning("%d of %d assets of this batch failed", len(failures), len(wanted))
    errors = [
        error
        for symbol, error in failures.items()
        if not _is_tolerable(engine, run, symbol, error, will_retry=will_retry)
    ]
    if errors:
        worth_a_retry = [error for error in errors if isinstance(error, SourceUnavailableError)]
        raise (worth_a_retry or errors)[0]
    return results


def _extracted_since(engine: Engine, run: ResolvedRun, moment: datetime) -> set[str]:
    with engine.connect() as connection:
        return set(
            connection.scalars(
                select(extractions.c.symbol).where(
                    extractions.c.run_id == run.run_id,
                    extractions.c.source == run.source_key,
                    extractions.c.status == "ok",
                    extractions.c.finished_at >= moment,
                )
            )
        )


def _is_tolerable(
    engine: Engine, run: ResolvedRun, symbol: str, error: SourceError, *, will_retry: bool
) -> bool:
    """Tell whether a run may continue without an asset: a context asset that alone fails.

    What a retry may fix is worth one. If nothing of the run could be extracted, the source is at
    fault, not the asset.
    """
    if not run.is_context(symbol):
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
