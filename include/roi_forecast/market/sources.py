"""Opening the price source of a run; only the one that is asked for is loaded."""

from __future__ import annotations

from pathlib import Path

from roi_forecast.config import RunConfig
from roi_forecast.market.source import PriceSource
from roi_forecast.settings import Settings


def open_source(config: RunConfig, settings: Settings) -> PriceSource:
    """Return the price source of a run; nothing is read or asked yet."""
    if config.source == "csv":
        from roi_forecast.market.csv_files import CsvSource

        return CsvSource(config.source_key, Path(str(config.csv_path)))
    if config.source == "simulated":
        from roi_forecast.market.simulated import SimulatedSource

        return SimulatedSource()
    from roi_forecast.market.yahoo import YahooSource

    return YahooSource(settings.cache_directory, settings.yahoo_url)
