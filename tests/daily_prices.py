"""CSV files of prices, for runs of the source `csv`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from roi_forecast.market.sources.simulated import SimulatedSource
from roi_forecast.universe import load_universe


def save_prices(folder: Path, symbol: str) -> None:
    """Write a file of an asset's bars from the middle of 2023 to the end of 2024."""
    (asset,) = load_universe().select([symbol])
    prices = SimulatedSource().fetch(asset, date(2023, 6, 1), date(2024, 12, 27)).bars
    prices.rename(columns={"trading_date": "date"}).to_csv(folder / f"{symbol}.csv", index=False)
