"""The datasets that the benchmarks measure on, from a file of real daily prices."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from roi_forecast.config import FeatureConfig
from roi_forecast.features.build import assemble_dataset
from roi_forecast.features.dataset import Dataset
from roi_forecast.features.rows import align_rows
from roi_forecast.market.sources.csv_files import CsvSource
from roi_forecast.universe import Asset, Context, load_universe

REPOSITORY = Path(__file__).resolve().parents[1]
STAND_IN = {"BHARTIARTL.NS": "ONGC.NS"}
"""What the supplied prices have in place of an asset of the reference universe."""
START, LAST = date(2020, 10, 1), date(2024, 12, 31)
"""The first and the last date of the prices measured on, unless a benchmark says otherwise."""
CONTEXT = ("AAPL", "JPM", "KO", "NVDA")
"""What the supplied prices have of context assets: four US stocks."""


def prices_path() -> Path:
    """Return where the prices lie: ROI_PRICES, or what is supplied beside the repository."""
    supplied = REPOSITORY.parent / "shared" / "market" / "daily_prices.csv.gz"
    return Path(os.environ.get("ROI_PRICES") or supplied)


def reference_symbols() -> list[str]:
    """Return the reference universe as far as the supplied prices have it."""
    return [STAND_IN.get(asset.symbol, asset.symbol) for asset in load_universe().assets]


def is_metal(symbol: str) -> bool:
    """Return whether an asset is a commodity; those of the supplied prices are metals."""
    return load_universe().asset(symbol).asset_class == "commodity"


def load_dataset(
    path: Path, symbols: Sequence[str], start: date, last: date, context: Sequence[str] = ()
) -> Dataset:
    """Assemble a dataset at the default features; nothing is stored.

    Args:
        path: Daily bars, as the source csv takes them.
        symbols: The assets.
        start: First date of the prices used.
        last: Last date of the prices used; a session.
        context: The context assets, from the same file.
    """
    universe = load_universe()
    assets, informing = universe.select(symbols), Context(universe.select(context))
    source = CsvSource("csv:benchmark", path)

    def bars_of(wanted: Sequence[Asset]) -> pd.DataFrame:
        return pd.concat(
            [source.fetch(asset, start, last).bars.assign(symbol=asset.symbol) for asset in wanted],
            ignore_index=True,
        )

    context_bars = bars_of(informing.assets) if context else None
    rows = align_rows(
        bars_of(assets), assets, start, last, context=informing, context_bars=context_bars
    )
    return assemble_dataset(rows, FeatureConfig(), source.key, Path())


def describe_machine() -> str:
    """Return the processor, its cores and Python's version, in words."""
    model = platform.processor() or platform.machine()
    cpu_facts = Path("/proc/cpuinfo")
    if cpu_facts.is_file():
        named = [
            line for line in cpu_facts.read_text().splitlines() if line.startswith("model name")
        ]
        model = named[0].split(":", 1)[1].strip() if named else model
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}"
