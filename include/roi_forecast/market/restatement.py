"""Restated history: a source has rescaled an asset's past after a split or a dividend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd
from sqlalchemy import Connection, insert

from roi_forecast.database.tables import price_restatements
from roi_forecast.errors import SourceDataError
from roi_forecast.market.checks.bar_checks import possible_prices
from roi_forecast.market.checks.check_results import CheckResult
from roi_forecast.number_text import percent

RESTATEMENT_TOLERANCE = 1e-5
"""Relative change of the oldest overlapping price above which all history counts as restated."""

MAX_LOST_SHARE = 0.05
"""Share of the stored bars that restated history may lack; those bars are removed."""

RESTATEMENT_CHECK = "restated_history"


@dataclass(frozen=True)
class Restatement:
    """The evidence that a source has restated the history of an asset.

    Attributes:
        symbol: The asset.
        compared_on: The first trading date with a different price.
        close_ratio: Fetched over stored close, of the oldest bar that has both.
        adj_close_ratio: The same for the adjusted close.
    """

    symbol: str
    compared_on: date
    close_ratio: float
    adj_close_ratio: float

    def as_result(self) -> CheckResult:
        """Return the event as a check result."""
        return CheckResult(
            check_name=RESTATEMENT_CHECK,
            severity="warn",
            passed=False,
            message=(
                f"{self.symbol}: the source restated history: on {self.compared_on} close and "
                f"adj_close are {self.close_ratio:.6g} and {self.adj_close_ratio:.6g} times the "
                "stored ones"
            ),
            symbol=self.symbol,
            trading_date=self.compared_on,
            observed=self.adj_close_ratio,
            allowed=RESTATEMENT_TOLERANCE,
        )


def find_restatement(
    symbol: str, stored: pd.DataFrame, fetched: pd.DataFrame
) -> Restatement | None:
    """Compare the oldest close and the oldest adjusted close that are both stored and fetched.

    A split or dividend rescales every earlier bar, so it shows in the oldest one; the correction of
    a later bar does not. The oldest bar counts even if it lacks other values, since it may be the
    only bar of the overlap before the split.

    Args:
        symbol: The asset.
        stored: Its stored bars over the range of `fetched`, columns `BAR_COLUMNS`.
        fetched: Its bars from the source.
    """
    if stored.empty:
        return None
    possible = fetched.assign(**possible_prices(fetched))
    both = possible.merge(stored, on="trading_date", suffixes=("", "_stored"))
    both = both.sort_values("trading_date")
    ratios = {name: both[name] / both[f"{name}_stored"] for name in ("close", "adj_close")}
    oldest = {name: ratio.first_valid_index() for name, ratio in ratios.items()}
    differing = [
        row
        for name, row in oldest.items()
        if row is not None and abs(ratios[name][row] - 1) > RESTATEMENT_TOLERANCE
    ]
    if not differing:
        return None
    close_ratio, adj_close_ratio = (
        float("nan") if row is None else float(ratios[name][row]) for name, row in oldest.items()
    )
    compared_on = both.loc[differing, "trading_date"].min().date()
    return Restatement(symbol, compared_on, close_ratio, adj_close_ratio)


def require_complete(symbol: str, stored: pd.DataFrame, believed: pd.DataFrame) -> None:
    """Check that restated history covers the stored bars that it replaces.

    Args:
        symbol: The asset.
        stored: The stored bars.
        believed: The restated bars that passed the bar checks.

    Raises:
        SourceDataError: Too many of the stored dates have no restated bar.
    """
    lost = stored.loc[~stored["trading_date"].isin(believed["trading_date"]), "trading_date"]
    if len(lost) > MAX_LOST_SHARE * len(stored):
        raise SourceDataError(
            f"{symbol}: the source restated history but has no sound bar for {len(lost)} of the "
            f"{len(stored)} stored dates, the first is {lost.iloc[0]:%Y-%m-%d}; up to "
            f"{percent(MAX_LOST_SHARE)} are allowed, so the stored prices stay as they were"
        )


def record_restatement(
    connection: Connection,
    source: str,
    run_id: str,
    restatement: Restatement,
    fetched: pd.DataFrame,
    rows: int,
) -> None:
    """Store the event permanently.

    Args:
        connection: With the transaction that replaces the bars.
        source: Key of the source.
        run_id: The run that found it.
        restatement: The event.
        fetched: The bars that replace the stored ones.
        rows: Number of rows of `daily_prices` inserted, changed or removed.
    """
    connection.execute(
        insert(price_restatements).values(
            source=source,
            symbol=restatement.symbol,
            run_id=run_id,
            compared_on=restatement.compared_on,
            close_ratio=restatement.close_ratio,
            adj_close_ratio=restatement.adj_close_ratio,
            first_date=fetched["trading_date"].min().date(),
            last_date=fetched["trading_date"].max().date(),
            rows=rows,
        )
    )
