"""The symbols of a run that names none: those that its source holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, timedelta

from roi_forecast.config.data import MAX_SYMBOLS
from roi_forecast.errors import ConfigError, SourceDataError
from roi_forecast.market.sources.source import PriceSource
from roi_forecast.quoting import listed
from roi_forecast.universe import load_universe

logger = logging.getLogger(__name__)

ENDED_DAYS = 30
"""Days before the end of all rows at which a symbol has ended, as a delisted one has."""


def own_symbols(source: PriceSource, until: date) -> tuple[str, ...]:
    """Return the symbols that a source offers by itself, without those that ended long before.

    Args:
        source: The source.
        until: Last date that the run may use; later rows do not count.

    Raises:
        SourceUnavailableError: It does not answer.
        SourceDataError: No symbol can be read from it.
        ConfigError: It holds none or too many.
    """
    symbols = source.symbols()
    over = ended(_last_dates(source, symbols, until))
    if over:
        logger.warning(
            "%s: %d of %d symbols left out, since their rows end over %d days before the last: %s",
            source.key,
            len(over),
            len(symbols),
            ENDED_DAYS,
            listed([f"{symbol} ({last})" for symbol, last in over.items()]),
        )
    symbols = tuple(symbol for symbol in symbols if symbol not in over)
    if not 0 < len(symbols) <= MAX_SYMBOLS:
        raise ConfigError(
            f"symbols: received none, and {source.key} holds {len(symbols):,}; name 1 to "
            f"{MAX_SYMBOLS:,} of them"
        )
    logger.info("%s holds %d symbols: %s", source.key, len(symbols), listed(symbols))
    return symbols


def ended(last_dates: Mapping[str, date]) -> dict[str, date]:
    """Return the symbols whose rows end long before the last one, with the date.

    Where they are the majority, the one that goes on is the odd one: none is returned, and the
    quorum decides.

    Args:
        last_dates: Last date by symbol.
    """
    end = max(last_dates.values(), default=date.min)
    over = {s: last for s, last in last_dates.items() if end - last > timedelta(ENDED_DAYS)}
    return over if 2 * len(over) < len(last_dates) else {}


def _last_dates(source: PriceSource, symbols: tuple[str, ...], until: date) -> dict[str, date]:
    assets = load_universe().select(symbols)
    # Asked for together first, so that files that they share are read once.
    if not assets or source.last_trading_date(assets, until) is None:
        return {}
    found = {}
    for asset in assets:
        try:
            last = source.last_trading_date([asset], until)
        except SourceDataError:
            continue  # what is wrong with it, its extraction says
        if last is not None:
            found[asset.symbol] = last
    return found
