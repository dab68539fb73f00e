"""The universe: the assets and the properties of their exchanges."""

from __future__ import annotations

import logging
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pydantic.dataclasses
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roi_forecast.errors import UniverseError
from roi_forecast.quoting import quoted

logger = logging.getLogger(__name__)

UNIVERSE_FILE = Path(__file__).with_name("universe.toml")

MAX_SYMBOL = 32
MAX_CONTEXT = 50
"""Context assets of one run."""

Publish = Literal["after_close", "before_open"]
"""When a run publishes: after the last cut-off of its as-of date, or before the next opening."""

BEFORE_OPEN_MINUTES = 60
"""Minutes before the first opening at which a run with `publish` before_open publishes."""

_SYMBOL = re.compile(r"(?P<root>\^?[A-Z0-9][A-Z0-9&_-]*)(?P<suffix>[.=][A-Z]+)?")


_Text = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\P{Cc}+$")]


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Exchange:
    """An exchange, with everything that its daily bars depend on.

    Attributes:
        name: Display name.
        suffix: Suffix of its Yahoo symbols; empty for plain tickers.
        calendar: Code of the trading calendar in `exchange_calendars`.
        currency: Currency of the prices, where an asset states none of its own.
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

    def last_final_date(self, moment: datetime) -> date:
        """Return the last date whose bar is final at a moment, session or not."""
        day = moment.astimezone(self.timezone).date()
        while self.final_at(day) > moment.astimezone(UTC):
            day -= timedelta(days=1)
        return day


@dataclass(frozen=True)
class Asset:
    """One traded instrument."""

    symbol: str
    name: str
    asset_class: str
    exchange: Exchange
    own_currency: str | None = None

    @property
    def currency(self) -> str:
        """Currency of the asset's prices."""
        return self.own_currency or self.exchange.currency


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


@dataclass(frozen=True)
class Universe:
    """The declared exchanges, the default assets and the default context assets."""

    exchanges: tuple[Exchange, ...]
    assets: tuple[Asset, ...]
    path: Path
    context: tuple[Asset, ...] = ()

    def asset(self, symbol: str) -> Asset:
        """Return the asset of a Yahoo symbol, declared or derived from its suffix.

        Raises:
            UniverseError: The symbol is malformed or its exchange is not declared.
        """
        for asset in (*self.assets, *self.context):
            if asset.symbol == symbol:
                return asset
        exchange = _exchange_of(symbol, self.exchanges, self.path)
        return Asset(symbol, symbol, exchange.asset_class, exchange)

    def select(self, symbols: Sequence[str]) -> tuple[Asset, ...]:
        """Return the assets of the symbols, in their order."""
        return tuple(self.asset(symbol) for symbol in symbols)

    def declared(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Return the symbols whose exchange is declared, in their order; log the others."""
        known = []
        for symbol in symbols:
            try:
                known.append(self.asset(symbol).symbol)
            except UniverseError as error:
                logger.warning("context asset left out: %s", error)
        return tuple(known)


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
    assets = _declared_assets(declared.assets, exchanges, path)
    if not assets:
        raise UniverseError(f"{path} declares no assets; add at least one [[assets]] entry")
    context = _declared_assets(declared.context, exchanges, path)
    if len(context) > MAX_CONTEXT:
        raise UniverseError(
            f"{path} declares {len(context)} [[context]] entries; at most {MAX_CONTEXT} are allowed"
        )
    # One symbol has one name and class, whichever list it is in.
    context = {symbol: assets.get(symbol, asset) for symbol, asset in context.items()}
    return Universe(exchanges, tuple(assets.values()), path, tuple(context.values()))


def _declared_assets(
    entries: Sequence[_AssetEntry], exchanges: tuple[Exchange, ...], path: Path
) -> dict[str, Asset]:
    assets: dict[str, Asset] = {}
    for entry in entries:
        symbol = entry.symbol
        if symbol in assets:
            raise UniverseError(
                f"{path}: the symbol {symbol!r} is declared twice; remove one entry"
            )
        exchange = _exchange_of(symbol, exchanges, path)
        asset_class = entry.asset_class or exchange.asset_class
        name = entry.name or symbol
        assets[symbol] = Asset(symbol, name, asset_class, exchange, entry.currency)
    return assets


class _AssetEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    symbol: str
    name: _Text | None = None
    asset_class: _Text | None = None
    currency: _Text | None = None


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid")

    exchanges: tuple[Exchange, ...] = ()
    assets: tuple[_AssetEntry, ...] = ()
    context: tuple[_AssetEntry, ...] = ()


def _read_declared(path: Path) -> _Declared:
    try:
        return _Declared.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UniverseError(f"cannot read the universe file {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        *place, key = first["loc"]
        where = " ".join(map(str, place))
        if first["type"] == "extra_forbidden" and not place:
            allowed = ", ".join(f"[[{name}]]" for name in _Declared.model_fields)
            raise UniverseError(
                f"{path}: the key {quoted(key)} is not known; allowed are {allowed}"
            ) from error
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
