"""Opening the price source of a run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from roi_forecast.config import RunConfig
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.price_sources import PRICE_SOURCES
from roi_forecast.settings import Settings


def open_source(config: RunConfig, settings: Settings, symbols: Sequence[str] = ()) -> PriceSource:
    """Return the price source of a run; nothing is read or requested yet.

    Args:
        config: Of the run.
        settings: Of this installation.
        symbols: The symbols to fetch, where known: files that assets share are then read once.

    Raises:
        ConfigError: csv_path leads out of the folder that this installation reads files from.
    """
    module = import_module(PRICE_SOURCES[config.source].module)
    source: PriceSource = module.open_source(config, settings, symbols)
    return source
