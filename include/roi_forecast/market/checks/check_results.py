"""The result of a check, and the table that stores it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import Connection, delete, insert

from roi_forecast.database.tables import price_checks
from roi_forecast.quoting import listed

logger = logging.getLogger(__name__)

MAX_NAMED = 3
"""Assets that a message names; it counts the others."""

Severity = Literal["warn", "drop_bar", "drop_asset", "stop_run"]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check of a bar, an asset's series or a run.

    Attributes:
        check_name: The check.
        severity: The consequence of a failure.
        passed: Whether it passed.
        message: For people: what was observed and what is allowed.
        symbol: The asset, or None if the check concerns the whole run.
        trading_date: The bar, or None if the check concerns several.
        observed: The deciding figure, in the unit that the message names.
        allowed: Its limit.
    """

    check_name: str
    severity: Severity
    passed: bool
    message: str
    symbol: str | None = None
    trading_date: date | None = None
    observed: float | None = None
    allowed: float | None = None


def extraction_result(symbol: str, failure: str | None) -> CheckResult:
    """Return the result of an asset's extraction.

    Args:
        symbol: The asset.
        failure: Why it failed, or None.
    """
    message = "extracted"
    if failure is not None:
        message = f"extraction failed, stored prices are used: {failure}"
    return CheckResult("extraction", "warn", failure is None, f"{symbol}: {message}", symbol=symbol)


def replace_results(
    connection: Connection,
    run_id: str,
    source: str,
    check_names: Collection[str],
    results: Sequence[CheckResult],
    *,
    symbol: str | None = None,
) -> None:
    """Store results, replacing those of an earlier attempt of the same run.

    Args:
        connection: With a transaction.
        run_id: The run.
        source: Key of the source.
        check_names: The checks whose earlier results are deleted.
        results: The new results, in the order to store them.
        symbol: If given, only earlier results of this asset are deleted.
    """
    earlier = delete(price_checks).where(
        price_checks.c.run_id == run_id, price_checks.c.check_name.in_(check_names)
    )
    if symbol is not None:
        earlier = earlier.where(price_checks.c.symbol == symbol)
    connection.execute(earlier)
    rows = [{"run_id": run_id, "source": source, **vars(result)} for result in results]
    if rows:
        connection.execute(insert(price_checks), rows)


def log_failures(results: Iterable[CheckResult]) -> None:
    """Log a line for each failed finding, however many assets share it."""
    symbols: dict[str, list[str]] = defaultdict(list)
    for result in results:
        if not result.passed:
            finding = result.message.removeprefix(f"{result.symbol}: ")
            symbols[finding] += [result.symbol] if result.symbol else []
    for finding, own in symbols.items():
        prefix = f"{listed(own, MAX_NAMED)}: " if own else ""
        logger.warning("%s%s", prefix, finding)
