"""What a check found, and the table where people read it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal

from sqlalchemy import Connection, delete, insert

from roi_forecast.database.tables import price_checks

Severity = Literal["warn", "drop_bar", "drop_asset", "stop_run"]


@dataclass(frozen=True)
class CheckResult:
    """One verdict on a bar, an asset's series or a run.

    Attributes:
        check_name: Which check.
        severity: What a failure of it means.
        passed: The verdict.
        message: For a person: what was observed and what is allowed.
        symbol: The asset, or None where the check is about the whole run.
        trading_date: The bar, or None where the check is about more than one.
        observed: The figure that was judged, in the unit the message names.
        allowed: The bound it was judged by.
    """

    check_name: str
    severity: Severity
    passed: bool
    message: str
    symbol: str | None = None
    trading_date: date | None = None
    observed: float | None = None
    allowed: float | None = None


def replace_results(
    connection: Connection,
    run_id: str,
    source: str,
    check_names: Collection[str],
    results: Sequence[CheckResult],
    *,
    symbol: str | None = None,
) -> None:
    """Store results in place of those that an earlier attempt of the same run left.

    Args:
        connection: With a transaction of the caller's.
        run_id: The run.
        source: Key of the source.
        check_names: The checks whose earlier results go.
        results: What is stored now, in this order.
        symbol: If given, only earlier results about this asset go.
    """
    earlier = delete(price_checks).where(
        price_checks.c.run_id == run_id, price_checks.c.check_name.in_(check_names)
    )
    if symbol is not None:
        earlier = earlier.where(price_checks.c.symbol == symbol)
    connection.execute(earlier)
    rows = [{"run_id": run_id, "source": source, **asdict(result)} for result in results]
    if rows:
        connection.execute(insert(price_checks), rows)
