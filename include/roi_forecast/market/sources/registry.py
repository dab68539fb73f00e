"""Opening the price source of a run; only the one that is asked for is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from roi_forecast.config import RunConfig
from roi_forecast.errors import ConfigError
from roi_forecast.files.artifacts import confined
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.settings import Settings


def open_source(config: RunConfig, settings: Settings, symbols: Sequence[str] = ()) -> PriceSource:
    """Return the price source of a run; nothing is read or asked yet.

    Args:
        config: Of the run.
        settings: Where this installation keeps things.
        symbols: What will be fetched, where it is known: files that assets share are then read
            once for all of these.

    Raises:
        ConfigError: csv_path leads out of the folder that this installation takes files from.
    """
    if config.source == "csv":
        from roi_forecast.market.sources.csv_files import CsvSource
        from roi_forecast.market.sources.csv_files.opening import MIB

        return CsvSource(
            config.source_key,
            _csv_path(str(config.csv_path), settings),
            allowed=settings.csv_directory,
            symbols=symbols,
            max_bytes=settings.csv_file_mib * MIB,
        )
    if config.source == "simulated":
        from roi_forecast.market.sources.simulated import SimulatedSource

        return SimulatedSource()
    from roi_forecast.market.sources.yahoo import YahooSource

    return YahooSource(settings.cache_directory, settings.yahoo_url)


def _csv_path(given: str, settings: Settings) -> Path:
    if settings.csv_directory is None:
        return Path(given)
    try:
        return confined(settings.csv_directory, given, ConfigError)
    except ConfigError as error:
        raise ConfigError(f"csv_path: {error}") from None
