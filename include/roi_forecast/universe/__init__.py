"""The universe: the exchanges, the default assets, and the asset of any symbol."""

from roi_forecast.universe.asset import (
    BEFORE_OPEN_MINUTES,
    MAX_CONTEXT,
    NO_CONTEXT,
    Asset,
    Context,
    Publish,
    reference_exchange,
)
from roi_forecast.universe.declarations import (
    EXCHANGES_FILE,
    UNIVERSE_FILE,
    UNIVERSE_VARIABLE,
    load_universe,
)
from roi_forecast.universe.exchange import Exchange
from roi_forecast.universe.symbols import MAX_SYMBOL
from roi_forecast.universe.universe import Universe

__all__ = [
    "BEFORE_OPEN_MINUTES",
    "EXCHANGES_FILE",
    "MAX_CONTEXT",
    "MAX_SYMBOL",
    "NO_CONTEXT",
    "UNIVERSE_FILE",
    "UNIVERSE_VARIABLE",
    "Asset",
    "Context",
    "Exchange",
    "Publish",
    "Universe",
    "load_universe",
    "reference_exchange",
]
