"""The interface of a price source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pandas as pd

from roi_forecast.errors import SourceDataError
from roi_forecast.market.bars import BAR_COLUMNS, PRICE_COLUMNS
from roi_forecast.universe import Asset


class UnknownSymbolError(SourceDataError):
    """The source does not know the symbol, or no longer does."""


class NoPricesError(SourceDataError):
    """The source knows the symbol but has no bars for the requested dates."""


@dataclass(frozen=True)
class FetchedBars:
    """The daily bars of one asset, and what their source states about it.

    Attributes:
        bars: One row per trading date, shape (bars, 7), columns `BAR_COLUMNS`: `trading_date` as
            datetime64[us] without zone (the exchange's date), prices as float64 in the asset's
            currency, `volume` as float64 in whole numbers; NaN where the source has no value.
            Sorted by date, each date once, at least one row. `bar_checks` judges the values.
        missing: The columns of `BAR_COLUMNS` that the source does not have for this asset. A
            missing `adj_close` repeats `close`; the others are NaN.
        currency: The currency as the source states it, such as `GBp`; None if it states none.
        asset_class: Likewise, in the universe's words.
    """

    bars: pd.DataFrame
    missing: tuple[str, ...] = ()
    currency: str | None = None
    asset_class: str | None = None


class PriceSource(Protocol):
    """A source of daily bars."""

    @property
    def key(self) -> str:
        """The `source` of its rows in the database, such as `yahoo` or `csv:<name>`."""

    def fetch(self, asset: Asset, start: date, end: date) -> FetchedBars:
        """Return the daily bars of one asset.

        Args:
            asset: The asset to fetch.
            start: First trading date, inclusive.
            end: Last trading date, inclusive.

        Raises:
            SourceUnavailableError: No usable answer now; trying again later may help.
            SourceDataError: An answer that must not be stored; a retry will not help.
        """

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of a source that holds only some, in its order; () if it has any.

        Raises:
            SourceUnavailableError: It does not answer.
            SourceDataError: No symbol can be read from it.
        """

    def check_reachable(self, asset: Asset) -> None:
        """Return if the source answers, found out as cheaply as possible.

        Raises:
            SourceUnavailableError: It does not answer.
            SourceDataError: No asset could be read from its answer.
        """

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> date | None:
        """Return the last date with bars of a source that does not grow, or None if it does.

        Args:
            assets: Only their bars count.
            until: Later bars are ignored.

        Raises:
            SourceUnavailableError: It does not answer.
            SourceDataError: It has no bar of these assets up to that date.
        """


def as_bars(frame: pd.DataFrame, asset: Asset, start: date, end: date) -> pd.DataFrame:
    """Convert a source's frame to the form that `FetchedBars.bars` promises.

    Args:
        frame: Rows with at least `BAR_COLUMNS`, in any order; `trading_date` without zone.
        asset: The asset of the bars.
        start: First trading date to keep.
        end: Last trading date to keep.

    Raises:
        NoPricesError: No row lies between the two dates.
        SourceDataError: A column is missing, or one date has two different bars.
    """
    missing = [column for column in BAR_COLUMNS if column not in frame.columns]
    if missing:
        raise SourceDataError(
            f"{asset.symbol}: the columns {', '.join(missing)} are missing; received "
            f"{', '.join(map(str, frame.columns))}"
        )
    bars = frame.loc[:, list(BAR_COLUMNS)].copy()
    bars["trading_date"] = pd.to_datetime(bars["trading_date"]).dt.normalize().dt.as_unit("us")
    bars[list(PRICE_COLUMNS)] = bars[list(PRICE_COLUMNS)].astype("float64")
    bars["volume"] = bars["volume"].astype("float64").round()
    inside = bars["trading_date"].between(pd.Timestamp(start), pd.Timestamp(end))
    bars = bars[inside].drop_duplicates().sort_values("trading_date", ignore_index=True)
    doubled = bars.loc[bars["trading_date"].duplicated(), "trading_date"]
    if not doubled.empty:
        raise SourceDataError(
            f"{asset.symbol}: {doubled.nunique()} dates have two different bars, the first is "
            f"{doubled.iloc[0]:%Y-%m-%d}; one bar per trading date is allowed"
        )
    if bars.empty:
        raise NoPricesError(
            f"{asset.symbol}: no bars from {start} to {end}; check the symbol, or move start_date "
            "to when it was traded"
        )
    return bars
