"""Restated history: a source that has rescaled an asset's past for a split or a dividend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd
from sqlalchemy import Connection, insert

from roi_forecast.database.tables import price_restatements
from roi_forecast.errors import SourceDataError
from roi_forecast.market.checks.bar_checks import possible_prices
from roi_forecast.market.checks.check_results import CheckResult

RESTATEMENT_TOLERANCE = 1e-5
"""Relative change of the oldest overlapping price above which all history counts as restated."""

MAX_LOST_SHARE = 0.05
"""Share of the stored bars that restated history may lack; what it lacks is removed."""

RESTATEMENT_CHECK = "restated_history"


@dataclass(frozen=True)
class Restatement:
    """What revealed that a source has restated the history of an asset.

    Attributes:
        symbol: The asset.
        compared_on: The first trading date that revealed it.
        close_ratio: The close fetched over the close stored, of the oldest bar that has both.
        adj_close_ratio: The same of the adjusted close.
    """

    symbol: str
    compared_on: date
    close_ratio: float
    adj_close_ratio: float

    def as_result(self) -> CheckResult:
        """Return the event as a row of `price_checks`."""
        return CheckResult(
            check_name=RESTATEMENT_CHECK,
            severity="warn",
            passed=False,
            message=(
                f"{self.symbol}: the source restated history: on {self.compared_on} close and "
                f"adj_close are {self.close_ratio:.6g} and {self.adj_close_ratio:.6g} times what "
                "was stored"
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

    A split or dividend rescales every bar before it, so it shows in the oldest one; the correction
    of a later bar does not. Whether that bar lacks other values does not matter: it may be the
    only one of the overlap that lies before the split.

    Args:
        symbol: The asset.
        stored: Its bars in the database over the range of `fetched`, columns `BAR_COLUMNS`.
        fetched: Its bars as the source gives them now.
    """
    given = fetched.assign(**possible_prices(fetched))
    both = given.merge(stored, on="trading_date", suffixes=("", "_stored"))
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
    """Check that restated history has the bars it is to take the place of.

    Args:
        symbol: The asset.
        stored: The stored bars.
        believed: The restated bars that no check doubts.

    Raises:
        SourceDataError: Too many of the stored dates have no bar any more.
    """
    lost = stored.loc[~stored["trading_date"].isin(believed["trading_date"]), "trading_date"]
    if len(lost) > MAX_LOST_SHARE * len(stored):
        raise SourceDataError(
            f"{symbol}: the source restated history but gives no sound bar for {len(lost)} of the "
            f"{len(stored)} stored dates, the first is {lost.iloc[0]:%Y-%m-%d}; up to "
            f"{MAX_LOST_SHARE:.0%} are allowed, so the stored prices stay as they were"
        )


def record_restatement(
    connection: Connection,
    source: str,
    run_id: str,
    restatement: Restatement,
    fetched: pd.DataFrame,
    rows: int,
) -> None:
    """Store the event; it stays, whatever later runs find.

    Args:
        connection: With the transaction that replaces the bars.
        source: Key of the source.
        run_id: The run that noticed it.
        restatement: The event.
        fetched: The bars that took the place of the stored ones.
        rows: How many rows of `daily_prices` were inserted, changed or removed.
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
