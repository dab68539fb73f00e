"""The universe: exchanges, default assets and default context, and the asset of any symbol."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from roi_forecast.errors import UniverseError
from roi_forecast.universe.asset import Asset
from roi_forecast.universe.exchange import Exchange
from roi_forecast.universe.symbols import (
    CRYPTOCURRENCIES,
    CURRENCIES,
    form_of_symbols,
    is_symbol,
    likely_symbol,
    suffix_of,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Universe:
    """The declared exchanges, the default assets and the default context assets.

    Attributes:
        exchanges: In the order in which a symbol is looked up.
        assets: The assets of a run that names none.
        path: The file of the exchanges, for messages.
        context: The default context assets.
    """

    exchanges: tuple[Exchange, ...]
    assets: tuple[Asset, ...]
    path: Path
    context: tuple[Asset, ...] = ()

    def asset(self, symbol: str) -> Asset:
        """Return the asset of a Yahoo symbol, declared or derived from the symbol.

        Raises:
            UniverseError: The symbol is malformed or no declared exchange trades it.
        """
        declared = self._declared.get(symbol)
        if declared is not None:
            return declared
        exchange = exchange_of(symbol, self.exchanges, self.path)
        return Asset(symbol, symbol, exchange.class_of(symbol), exchange)

    def select(self, symbols: Sequence[str]) -> tuple[Asset, ...]:
        """Return the assets of the symbols, in their order."""
        return tuple(self.asset(symbol) for symbol in symbols)

    @cached_property
    def _declared(self) -> Mapping[str, Asset]:
        return {asset.symbol: asset for asset in (*self.context, *self.assets)}

    def declared(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Return the symbols whose exchange is declared, in their order; log the others."""
        known = []
        for symbol in symbols:
            try:
                known.append(self.asset(symbol).symbol)
            except UniverseError as error:
                logger.warning("context asset left out: %s", error)
        return tuple(known)


def exchange_of(symbol: str, exchanges: Sequence[Exchange], path: Path) -> Exchange:
    """Return the first exchange that trades a symbol.

    Args:
        symbol: Yahoo's symbol.
        exchanges: In the order of the look-up.
        path: The file of the exchanges, for messages.

    Raises:
        UniverseError: The symbol is malformed, no exchange trades it, it is quoted in no known
            currency, or it is another vendor's way to write a symbol.
    """
    if not is_symbol(symbol):
        raise UniverseError(form_of_symbols(symbol))
    meant = likely_symbol(symbol)
    exchange = next((each for each in exchanges if each.trades(symbol)), None)
    # A suffix that is declared is meant, whatever others use it for.
    if meant is not None and (exchange is None or not suffix_of(symbol).startswith(".")):
        raise UniverseError(f"symbol {symbol!r}: Yahoo writes it {meant!r}; use that")
    if exchange is None:
        raise UniverseError(f"symbol {symbol!r}: {_entry_to_write(symbol, path)}")
    currency = exchange.currency_of(symbol)
    if currency != exchange.currency and currency not in CURRENCIES | CRYPTOCURRENCIES:
        raise UniverseError(
            f"symbol {symbol!r}: {currency!r} is no currency (ISO 4217); correct it, or add an "
            f"[[exchanges]] entry with symbols = {symbol!r} before the others to {path}"
        )
    return exchange.for_symbol(symbol)


def _entry_to_write(symbol: str, path: Path) -> str:
    suffix = suffix_of(symbol)
    if suffix:
        return (
            f"the exchange suffix {suffix!r} is not declared; add an [[exchanges]] entry with "
            f"suffix = {suffix!r} and its name, calendar, currency, timezone and cut_off to {path}"
        )
    if symbol.startswith("^"):
        return (
            f"no exchange lists this index; add {symbol!r} to the indices of its exchange in {path}"
        )
    return (
        f"no exchange trades it; add an [[exchanges]] entry with symbols = {symbol!r} and its "
        f"name, calendar, currency, timezone and cut_off to {path}"
    )
