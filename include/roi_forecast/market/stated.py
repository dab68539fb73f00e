"""What a source stated with the bars that are stored, compared with what it states now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from sqlalchemy import Connection, exists, select

from roi_forecast.database.tables import daily_prices, extractions
from roi_forecast.errors import SourceDataError
from roi_forecast.market.sources.source import FetchedBars
from roi_forecast.quoting import quoted
from roi_forecast.universe import Asset


@dataclass(frozen=True)
class Stated:
    """What a source stated about an asset when it last gave bars that are stored.

    Attributes:
        missing: The columns that it did not have; None if there are no stored bars.
        currency: The currency that it stated last; None if it never did, or likewise.
    """

    missing: frozenset[str] | None = None
    currency: str | None = None

    @classmethod
    def load(cls, connection: Connection, source: str, symbol: str) -> Self:
        """Read what the source stated about a symbol."""
        key = {"source": source, "symbol": symbol}
        if not connection.scalar(select(exists(select(daily_prices).filter_by(**key).subquery()))):
            return cls()
        record = extractions.c
        earlier = select(record.missing_columns, record.currency).filter_by(**key)
        newest = earlier.order_by(record.finished_at.desc()).limit(1)
        last = connection.execute(newest.where(record.missing_columns.is_not(None))).one_or_none()
        with_currency = connection.execute(newest.where(record.currency.is_not(None))).one_or_none()
        return cls(
            None if last is None else frozenset(last.missing_columns),
            None if with_currency is None else with_currency.currency,
        )

    def has_other_columns(self, fetched: FetchedBars) -> bool:
        """Tell whether the source has gained or lost a column."""
        return self.missing is not None and self.missing != frozenset(fetched.missing)

    def require_same_currency(self, source: str, symbol: str, fetched: FetchedBars) -> None:
        """Check that the source has not changed the currency: pence to pounds is a factor of 100.

        Raises:
            SourceDataError: It has.
        """
        if fetched.currency is None or self.currency in (None, fetched.currency):
            return
        raise SourceDataError(
            f"{symbol}: its stored prices are in {self.currency}, the source now states "
            f"{quoted(fetched.currency)}; the two would mix, so nothing is stored. Correct the "
            f"source, or delete the rows of this symbol and source {source!r} from "
            "roi.daily_prices (`make sql OWNER=1`) and run again"
        )

    def describe(self, asset: Asset, fetched: FetchedBars) -> Asset:
        """Return the asset with what the source states in place of the universe's defaults."""
        return replace(
            asset,
            asset_class=fetched.asset_class or asset.asset_class,
            own_currency=fetched.currency or self.currency or asset.own_currency,
        )
