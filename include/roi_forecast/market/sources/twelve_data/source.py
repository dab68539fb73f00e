"""Daily bars from Twelve Data: prices adjusted for splits and dividends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from roi_forecast.config import RunConfig
from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.sources.source import FetchedBars, NoPricesError, PriceSource, as_bars
from roi_forecast.market.sources.twelve_data.requests import (
    ADDRESS,
    NAME,
    KeyRefusedError,
    TwelveDataRequests,
)
from roi_forecast.market.sources.twelve_data.symbols import Instrument, instrument_of
from roi_forecast.quoting import quoted
from roi_forecast.settings import Settings
from roi_forecast.universe import Asset

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0

DAYS_OF_ONE_REQUEST = timedelta(days=4900)
"""An answer holds at most 5,000 bars."""

_FRIDAY = 4

_QUOTED = ("open", "high", "low", "close")


class TwelveDataSource:
    """Twelve Data, or a server with the same interface.

    Args:
        requests: How to ask it.
        today: Returns the present date in UTC.
    """

    key = NAME

    def __init__(
        self,
        requests: TwelveDataRequests,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._requests = requests
        self._today = today

    def fetch(self, asset: Asset, start: date, end: date) -> FetchedBars:
        """Return the asset's bars; see `PriceSource.fetch`.

        Every price is adjusted for splits and dividends, so that the adjusted close is the close. A
        dividend changes the prices before it; extraction sees that in the overlap.

        Raises:
            SourceUnavailableError: No usable answer now; see `TwelveDataRequests.get`.
            UnknownSymbolError: Twelve Data does not know the symbol.
            NoPricesError: It has no bars for the requested dates.
            SourceDataError: It does not serve the instrument, the key is not accepted, the answer
                is for another market, or a value is no number or no date.
        """
        instrument = instrument_of(asset.symbol)
        today = self._today()
        if instrument.is_pair and not (instrument.rests and today.weekday() == _FRIDAY):
            # The day of UTC still runs, even if the cut-off of the exchange has passed. Only on
            # Fridays currencies stop trading before it.
            end = min(end, today - timedelta(days=1))
        rows: list[Mapping[str, Any]] = []
        currency: str | None = None
        for first, last in _spans(start, end):
            answer = self._ask(asset, instrument, first, last)
            if answer is not None:
                currency = _checked_currency(asset, instrument, answer)
                rows += _values(asset, answer)
        if not rows:
            raise NoPricesError(f"{asset.symbol}: Twelve Data has no prices from {start} to {end}")
        bars = _as_frame(asset, rows)
        if instrument.rests:
            # The few hours of a Sunday are no session of the currency market's calendar.
            bars = bars[bars["trading_date"].dt.day_of_week < 5]
        missing = ("volume",) if bars["volume"].isna().all() else ()
        return FetchedBars(as_bars(bars, asset, start, end), missing, currency)

    def check_reachable(self, asset: Asset) -> None:
        """Ask how much of the key's allowance is used; see `PriceSource.check_reachable`.

        Raises:
            SourceUnavailableError: Twelve Data does not answer.
            KeyRefusedError: There is no key, or it is not accepted.
        """
        try:
            self._requests.get(asset.symbol, "/api_usage", {})
        except KeyRefusedError:
            raise
        except SourceDataError as error:
            logger.warning("Twelve Data answers, but not as expected: %s", error)

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> None:
        """Return None: Twelve Data keeps adding bars."""

    def symbols(self) -> tuple[str, ...]:
        """Return (): it has most of what is traded."""
        return ()

    def _ask(
        self, asset: Asset, instrument: Instrument, first: date, last: date
    ) -> dict[str, Any] | None:
        """Return the answer for some dates, or None if it has no prices for them."""
        parameters = {
            "symbol": instrument.symbol,
            **dict(instrument.market),
            "interval": "1day",
            "start_date": first.isoformat(),
            # One day later, in case that it means the beginning of the day; `as_bars` cuts it off.
            "end_date": (last + timedelta(days=1)).isoformat(),
            "outputsize": "5000",
            "order": "asc",
            "adjust": "all",
        }
        try:
            return self._requests.get(asset.symbol, "/time_series", parameters)
        except NoPricesError:
            return None


def open_source(_config: RunConfig, settings: Settings, _symbols: Sequence[str]) -> PriceSource:
    """Return the source; see `registry.open_source`."""
    address = settings.source_urls.get(NAME, ADDRESS)
    key = settings.source_keys.get(NAME, "")
    return TwelveDataSource(TwelveDataRequests(address, key, TIMEOUT_SECONDS))


def _spans(start: date, end: date) -> Iterator[tuple[date, date]]:
    first = start
    while first <= end:
        last = min(end, first + DAYS_OF_ONE_REQUEST)
        yield first, last
        first = last + timedelta(days=1)


def _checked_currency(
    asset: Asset, instrument: Instrument, answer: Mapping[str, Any]
) -> str | None:
    """Return the currency that an answer states, after checking that it is for the instrument."""
    meta = answer.get("meta")
    if not isinstance(meta, Mapping):
        raise SourceUnavailableError(
            f"{asset.symbol}: Twelve Data's answer has no 'meta', but {quoted(sorted(answer))}"
        )
    expected = {"symbol": instrument.symbol, "interval": "1day"}
    expected |= {name: code for name, code in instrument.market if name == "mic_code"}
    for name, value in expected.items():
        if meta.get(name, value) != value:
            raise SourceDataError(
                f"{asset.symbol}: asked for {name} {value!r}, Twelve Data answers for "
                f"{quoted(meta[name])}; nothing is stored"
            )
    zone = meta.get("exchange_timezone")
    if not instrument.is_pair and zone is not None and not _same_days(asset, zone):
        raise SourceDataError(
            f"{asset.symbol}: Twelve Data states the time zone {quoted(zone)}, the universe "
            f"declares {asset.exchange.timezone.key!r} for {asset.exchange.name}; nothing is "
            "stored until they agree"
        )
    currency = meta.get("currency")
    if not isinstance(currency, str) or not currency:
        return None
    if asset.own_currency not in (None, currency):
        raise SourceDataError(
            f"{asset.symbol}: Twelve Data states the currency {quoted(currency)}, its entry in the "
            f"universe declares {asset.own_currency!r}; correct the entry or leave its currency out"
        )
    return currency


def _same_days(asset: Asset, zone: object) -> bool:
    """Tell whether a zone has the exchange's time in winter and in summer, under any name."""
    try:
        stated = ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    moments = (datetime(2024, 1, 15, 12, tzinfo=UTC), datetime(2024, 7, 15, 12, tzinfo=UTC))
    return all(
        moment.astimezone(stated).utcoffset()
        == moment.astimezone(asset.exchange.timezone).utcoffset()
        for moment in moments
    )


def _values(asset: Asset, answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    values = answer.get("values")
    if not isinstance(values, list) or not all(isinstance(row, Mapping) for row in values):
        raise SourceUnavailableError(f"{asset.symbol}: Twelve Data's answer has no list 'values'")
    return values


def _as_frame(asset: Asset, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of text as bars; a value that is missing or null becomes NaN."""
    frame = pd.DataFrame(rows).reindex(columns=["datetime", *_QUOTED, "volume"])
    frame = frame.rename(columns={"datetime": "trading_date"})
    column = "trading_date"
    try:
        frame[column] = pd.to_datetime(frame[column], format="%Y-%m-%d")
        for column in (*_QUOTED, "volume"):
            frame[column] = pd.to_numeric(frame[column]).astype("float64")
    except (ValueError, TypeError) as error:
        raise SourceDataError(
            f"{asset.symbol}: Twelve Data's answer has a {column} that cannot be read "
            f"({str(error).splitlines()[0][:200]})"
        ) from error
    if frame["trading_date"].isna().any():
        raise SourceDataError(f"{asset.symbol}: Twelve Data's answer has a bar without a date")
    return frame.assign(adj_close=frame["close"])
