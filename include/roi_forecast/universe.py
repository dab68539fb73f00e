"""The universe: the assets and the properties of their exchanges."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import pydantic.dataclasses
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roi_forecast.errors import UniverseError
from roi_forecast.quoting import quoted

UNIVERSE_FILE = Path(__file__).with_name("universe.toml")

MAX_SYMBOL = 32

_SYMBOL = re.compile(r"(?P<root>\^?[A-Z0-9][A-Z0-9&_-]*)(?P<suffix>[.=][A-Z]+)?")


_Text = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\P{Cc}+$")]


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Exchange:
    """An exchange, with everything that its daily bars depend on.

    Attributes:
        name: Display name.
        suffix: Suffix of its Yahoo symbols; empty for plain tickers.
        calendar: Code of the trading calendar in `exchange_calendars`.
        currency: Currency of the prices.
        timezone: Time zone of trading dates and cut-off.
        cut_off: Local time at which the bar of the day is complete.
        delay_minutes: Minutes that the vendor needs after the cut-off.
        asset_class: Default class of its assets.
    """

    name: _Text
    suffix: Annotated[str, Field(max_length=10, pattern=r"^([.=][A-Z]+)?$")]
    calendar: _Text
    currency: _Text
    timezone: ZoneInfo
    cut_off: time
    delay_minutes: Annotated[int, Field(ge=0, le=24 * 60)]
    asset_class: _Text

    def final_at(self, trading_date: date) -> datetime:
        """Return the time from which the bar of `trading_date` is final, with time zone."""
        complete = datetime.combine(trading_date, self.cut_off, self.timezone)
        return complete + timedelta(minutes=self.delay_minutes)


@dataclass(frozen=True)
class Asset:
    """One traded instrument."""

    symbol: str
    name: str
    asset_class: str
    exchange: Exchange

    @property
    def currency(self) -> str:
        """Currency of the asset's prices."""
        return self.exchange.currency


@dataclass(frozen=True)
class Universe:
    """The declared exchanges and the default assets."""

    exchanges: tuple[Exchange, ...]
    assets: tuple[Asset, ...]
    path: Path

    def asset(self, symbol: str) -> Asset:
        """Return the asset of a Yahoo symbol, declared or derived from its suffix.

        Raises:
            UniverseError: The symbol is malformed or its exchange is not declared.
        """
        for asset in self.assets:
            if asset.symbol == symbol:
                return asset
        exchange = _exchange_of(symbol, self.exchanges, self.path)
        return Asset(symbol, symbol, exchange.asset_class, exchange)

    def select(self, symbols: Sequence[str]) -> tuple[Asset, ...]:
        """Return the assets of the symbols, in their order."""
        return tuple(self.asset(symbol) for symbol in symbols)


def reference_exchange(assets: Sequence[Asset]) -> Exchange:
    """Return the exchange whose calendar defines the reference sessions.

    It is the calendar of most assets; of the first one in a tie.
    """
    if not assets:
        raise UniverseError("no assets given; name at least one symbol")
    counts = Counter(asset.exchange.calendar for asset in assets)
    calendar = counts.most_common(1)[0][0]
    return next(asset.exchange for asset in assets if asset.exchange.calendar == calendar)


@lru_cache(maxsize=4)
def load_universe(path: Path = UNIVERSE_FILE) -> Universe:
    """Read the universe file.

    Raises:
        UniverseError: The file is missing or not TOML, or an entry is incomplete or duplicated.
    """
    declared = _read_declared(path)
    exchanges = declared.exchanges
    for suffix, count in Counter(exchange.suffix for exchange in exchanges).items():
        if count > 1:
            raise UniverseError(
                f"{path}: the suffix {suffix!r} is declared twice; remove one entry"
            )
    assets: dict[str, Asset] = {}
    for entry in declared.assets:
        symbol = entry.symbol
        if symbol in assets:
            raise UniverseError(
                f"{path}: the symbol {symbol!r} is declared twice; remove one entry"
            )
        exchange = _exchange_of(symbol, exchanges, path)
        asset_class = entry.asset_class or exchange.asset_class
        assets[symbol] = Asset(symbol, entry.name or symbol, asset_class, exchange)
    if not assets:
        raise UniverseError(f"{path} declares no assets; add at least one [[assets]] entry")
    return Universe(exchanges, tuple(assets.values()), path)


class _AssetEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    symbol: str
    name: _Text | None = None
    asset_class: _Text | None = None


class _Declared(BaseModel):
    exchanges: tuple[Exchange, ...] = ()
    assets: tuple[_AssetEntry, ...] = ()


def _read_declared(path: Path) -> _Declared:
    try:
        return _Declared.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UniverseError(f"cannot read the universe file {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        *place, key = first["loc"]
        where = " ".join(map(str, place))
        if first["type"] == "missing":
            raise UniverseError(f"{path}: {where} lacks the key {key!r}") from error
        raise UniverseError(
            f"{path}: {where} {key}: received {quoted(first['input'])}; {first['msg']}"
        ) from error


def _exchange_of(symbol: str, exchanges: tuple[Exchange, ...], path: Path) -> Exchange:
    match = _SYMBOL.fullmatch(symbol)
    if match is None or len(symbol) > MAX_SYMBOL:
        raise UniverseError(
            f"symbol {quoted(symbol)} is not a Yahoo symbol: capitals, digits, '&', '-' or '_', "
            f"then an exchange suffix such as '.NS' or '=F', {MAX_SYMBOL} characters at most"
        )
    suffix = match["suffix"] or ""
    for exchange in exchanges:
        if exchange.suffix == suffix:
            return exchange
    declared = ", ".join(repr(exchange.suffix) for exchange in exchanges)
    raise UniverseError(
        f"symbol {symbol!r}: the exchange suffix {suffix!r} is not declared (known: {declared}); "
        f"add an [[exchanges]] entry with suffix = {suffix!r} to {path}"
    )
