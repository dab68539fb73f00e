"""Assets, the context of a run, and the exchange whose sessions count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from roi_forecast.errors import UniverseError
from roi_forecast.universe.exchange import Exchange

MAX_CONTEXT = 50
"""Context assets of one run."""

Publish = Literal["after_close", "before_open"]
"""When a run publishes: after the last cut-off of its as-of date, or before the next opening."""

BEFORE_OPEN_MINUTES = 60
"""Minutes before the first opening at which a run with `publish` before_open publishes."""


@dataclass(frozen=True)
class Asset:
    """One traded instrument.

    Attributes:
        symbol: Yahoo's symbol.
        name: Display name.
        asset_class: As far as symbol and universe say; a source may know better.
        exchange: Where it is traded.
        own_currency: The currency that the universe file declares; None: it declares none.
    """

    symbol: str
    name: str
    asset_class: str
    exchange: Exchange
    own_currency: str | None = None

    @property
    def currency(self) -> str:
        """Currency of the asset's prices, as far as symbol and universe say."""
        return self.own_currency or self.exchange.currency_of(self.symbol)


@dataclass(frozen=True)
class Context:
    """What informs forecasts and is not forecast itself, and when forecasts are published.

    Attributes:
        assets: The context assets, in column order; an asset of the run may be one, too.
        publish: When a run publishes.
    """

    assets: tuple[Asset, ...] = ()
    publish: Publish = "after_close"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the context assets, in column order."""
        return tuple(asset.symbol for asset in self.assets)

    def only(self, symbols: Collection[str]) -> Context:
        """Return the context without assets that are not among the symbols."""
        kept = tuple(asset for asset in self.assets if asset.symbol in symbols)
        return Context(kept, self.publish)


NO_CONTEXT = Context()


def reference_exchange(assets: Sequence[Asset]) -> Exchange:
    """Return the exchange whose calendar defines the reference sessions.

    It is the calendar of most assets. In a tie, one that closes comes before one that never does,
    because what trades always has a bar on each session of the other, but not the reverse; then the
    calendar of the first asset.
    """
    if not assets:
        raise UniverseError("no assets given; name at least one symbol")
    counts = Counter(asset.exchange.calendar for asset in assets)
    most = max(counts.values())
    tied = [asset.exchange for asset in assets if counts[asset.exchange.calendar] == most]
    # min returns the first of equals.
    return min(tied, key=lambda exchange: exchange.is_continuous)
