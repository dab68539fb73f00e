"""The simulated market as sources see it that lack columns, or state a currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.market.sources.source import FetchedBars
from roi_forecast.universe import Asset

CLOSES_ONLY = ("open", "high", "low", "adj_close", "volume")


class IncompleteSource:
    """Simulated bars without some columns.

    Args:
        missing: The columns that the source lacks, by symbol.
        currency: The currency that it states.
        key: Its key.
    """

    def __init__(
        self,
        missing: Mapping[str, Sequence[str]],
        currency: str | None = None,
        key: str = "simulated",
    ) -> None:
        self.key = key
        self.missing = missing
        self.currency = currency
        self.requests: list[tuple[str, date, date]] = []
        self._market = SimulatedSource(today=date(2025, 1, 14))

    def fetch(self, asset: Asset, start: date, end: date) -> FetchedBars:
        """Return the bars, with what is missing as `FetchedBars` says."""
        self.requests.append((asset.symbol, start, end))
        bars = self._market.fetch(asset, start, end).bars
        missing = tuple(self.missing.get(asset.symbol, ()))
        for name in missing:
            bars[name] = bars["close"] if name == "adj_close" else np.nan
        return FetchedBars(bars, missing, self.currency)

    def check_reachable(self, asset: Asset) -> None:
        """Return: nothing needs to be reached."""

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> None:
        """Return None: there are bars for every session."""
