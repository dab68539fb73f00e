"""An exchange: which symbols are its own, and everything that its daily bars depend on."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

import pydantic.dataclasses
from pydantic import AfterValidator, ConfigDict, Field, model_validator

MAJOR_UNITS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS", "USX": "USD"}
"""Yahoo's codes of hundredths of a currency, and the currency."""

_INDEX = "index"
_FUND = "fund"
_MORNINGSTAR = re.compile(r"0P[A-Z0-9]{8}([.=][A-Z]+)?")
_FUND_CUT_OFF = time(23, 59)
_FUND_DELAY = 7 * 60 + 1
"""A fund's value is published at night; sources have it by 7 o'clock on the next morning."""


def _as_pattern(text: str) -> str:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    if pattern.fullmatch(""):
        raise ValueError("it matches the empty symbol; require at least one character")
    return text


Text = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\P{Cc}+$")]
_Pattern = Annotated[str, Field(max_length=1000), AfterValidator(_as_pattern)]


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Exchange:
    """An exchange; it has a `suffix` or `symbols`.

    Attributes:
        name: Display name, of which there is one only.
        calendar: Code of the trading calendar in `exchange_calendars`.
        currency: Currency of the prices, where neither symbol nor source states another one.
        timezone: Time zone of trading dates and cut-off.
        cut_off: Local time at which the bar of the day is complete.
        suffix: Suffix of its Yahoo symbols, such as `.NS`.
        symbols: Regular expression of its whole symbols. What its group `currency` matches, if it
            has one, is the currency of the symbol.
        indices: Symbols of its indices, whatever their suffix.
        delay_minutes: Minutes that the vendor needs after the cut-off.
        asset_class: Default class of its assets.
    """

    name: Text
    calendar: Text
    currency: Text
    timezone: ZoneInfo
    cut_off: time
    suffix: Annotated[str, Field(max_length=10, pattern=r"^[.=][A-Z]+$")] | None = None
    symbols: _Pattern | None = None
    indices: tuple[Text, ...] = ()
    delay_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = 20
    asset_class: Text = "stock"

    @model_validator(mode="after")
    def _has_one_rule(self) -> Exchange:
        if (self.suffix is None) == (self.symbols is None):
            raise ValueError("declare either a suffix or symbols")
        return self

    @property
    def is_continuous(self) -> bool:
        """Whether the market never closes between two sessions of a week."""
        return self.calendar.startswith("24/")

    def trades(self, symbol: str) -> bool:
        """Return whether the exchange's suffix, `symbols` or `indices` match a symbol."""
        if symbol in self.indices:
            return True
        if self.suffix is not None:
            return symbol.endswith(self.suffix) and len(symbol) > len(self.suffix)
        return self._match(symbol) is not None

    def is_index(self, symbol: str) -> bool:
        """Return whether a symbol of the exchange is an index."""
        return symbol in self.indices or symbol.startswith("^") or self.asset_class == _INDEX

    def class_of(self, symbol: str) -> str:
        """Return the class of a symbol of the exchange, as far as the symbol says."""
        return _INDEX if self.is_index(symbol) else self.asset_class

    def currency_of(self, symbol: str) -> str:
        """Return the currency of a symbol: that of its group, or the exchange's.

        An index is counted in points of a whole unit: London's in GBP, not in pence (GBp).
        """
        match = self._match(symbol)
        if match is not None and match.groupdict().get("currency"):
            return match["currency"]
        if self.is_index(symbol):
            return MAJOR_UNITS.get(self.currency, self.currency)
        return self.currency

    def for_symbol(self, symbol: str) -> Exchange:
        """Return the exchange of one of its symbols: for a fund's Morningstar id, its funds.

        They have the exchange's calendar, but are valued at night.
        """
        if self.asset_class == _FUND or not _MORNINGSTAR.fullmatch(symbol):
            return self
        return _funds_of(self)

    def _match(self, symbol: str) -> re.Match[str] | None:
        return None if self.symbols is None else re.fullmatch(self.symbols, symbol)

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


@lru_cache(maxsize=128)
def _funds_of(exchange: Exchange) -> Exchange:
    return replace(
        exchange,
        name=f"funds, {exchange.name}",
        cut_off=_FUND_CUT_OFF,
        delay_minutes=_FUND_DELAY,
        asset_class=_FUND,
    )
