"""Daily bars from Yahoo Finance, through yfinance."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from roi_forecast.config import RunConfig
from roi_forecast.errors import SourceDataError, SourceError, SourceUnavailableError
from roi_forecast.market.sources.source import (
    FetchedBars,
    NoPricesError,
    PriceSource,
    UnknownSymbolError,
    as_bars,
)
from roi_forecast.quoting import quoted
from roi_forecast.settings import Settings
from roi_forecast.universe import Asset

if TYPE_CHECKING:
    from roi_forecast.market.sources.yahoo_session import YahooSession

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0

_COLUMNS = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
}

_ASSET_CLASSES = {
    "EQUITY": "stock",
    "ETF": "fund",
    "MUTUALFUND": "fund",
    "INDEX": "index",
    "CURRENCY": "currency",
    "CRYPTOCURRENCY": "cryptocurrency",
}
"""Yahoo's `instrumentType`, and the universe's asset class. A future's depends on what it is of."""

_CURRENCY = re.compile(r"[A-Za-z]{3,5}")

# yfinance keeps its session, cookies and answers in one object per process.
_one_at_a_time = threading.Lock()


class RateLimitedError(SourceUnavailableError):
    """Yahoo limits the rate of requests."""


class YahooSource:
    """Yahoo Finance, or a server with the same interface.

    Args:
        cache_directory: Folder in which yfinance keeps time zones and cookies between processes.
        base_url: Address to query instead of Yahoo's hosts, or None for Yahoo itself.
        timeout: Seconds until a request times out.
    """

    key = "yahoo"

    def __init__(
        self, cache_directory: Path, base_url: str | None, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._cache_directory = cache_directory / "yfinance"
        self._base_url = base_url
        self._timeout = timeout

    def fetch(self, asset: Asset, start: date, end: date) -> FetchedBars:
        """Return the asset's bars; see `PriceSource.fetch`.

        Raises:
            RateLimitedError: Yahoo still answers 429 after new cookies.
            MalformedAnswerError: The answer is not JSON.
            SourceUnavailableError: No answer in time, or a server error.
            UnknownSymbolError: Yahoo does not know the symbol.
            NoPricesError: It has no bars for the requested dates.
            SourceDataError: The adjusted close is missing, the currency is not the one that the
                universe declares for the asset, Yahoo's time zone gives a bar another date than the
                exchange's, or one date has two different bars.
        """
        with _one_at_a_time, self._explained(asset.symbol):
            frame, chart = self._request(asset.symbol, start, end)
        _check_chart(asset, chart)
        meta = chart["meta"]
        missing = [column for column in _COLUMNS if column not in frame.columns]
        if missing:
            raise SourceDataError(
                f"{asset.symbol}: yfinance returned no column {', '.join(missing)}; received "
                f"{', '.join(map(str, frame.columns))}"
            )
        bars = frame.rename(columns=_COLUMNS)
        bars.insert(0, "trading_date", pd.DatetimeIndex(bars.index).tz_localize(None))
        return FetchedBars(
            as_bars(bars, asset, start, end),
            currency=meta.get("currency"),
            asset_class=_ASSET_CLASSES.get(meta.get("instrumentType")),
        )

    def symbols(self) -> tuple[str, ...]:
        """Return none: it has any."""
        return ()

    def check_reachable(self, asset: Asset) -> None:
        """Request the asset's last days; see `PriceSource.check_reachable`."""
        today = datetime.now(UTC).date()
        try:
            self.fetch(asset, today - timedelta(days=10), today)
        except SourceDataError as error:
            logger.warning("Yahoo answers, but not with prices: %s", error)

    def last_trading_date(self, assets: Sequence[Asset], until: date) -> None:
        """Return None: Yahoo keeps adding bars."""

    def _request(self, symbol: str, start: date, end: date) -> tuple[pd.DataFrame, dict[str, Any]]:
        # Before yfinance, which would load curl_cffi without deep binding.
        from roi_forecast.market.sources.yahoo_session import YahooSession  # isort: skip

        import yfinance
        from yfinance.data import YfData

        self._cache_directory.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(self._cache_directory))
        yfinance.config.debug.hide_exceptions = False
        # yfinance caches answers about past ranges, even errors, as long as the process lives.
        YfData.cache_get.cache_clear()
        session: YahooSession = YahooSession(self._timeout, self._base_url)
        with session:
            frame = yfinance.Ticker(symbol, session=session).history(
                start=start,
                end=end + timedelta(days=1),
                interval="1d",
                auto_adjust=False,
                back_adjust=False,
                actions=False,
                repair=False,
                keepna=True,
                timeout=self._timeout,
            )
        return frame, session.last_chart

    @contextmanager
    def _explained(self, symbol: str) -> Iterator[None]:
        """Convert errors of yfinance and the network to the two kinds of source error."""
        from roi_forecast.market.sources.browser_requests import requests  # isort: skip

        from yfinance.exceptions import (
            YFException,
            YFPricesMissingError,
            YFRateLimitError,
            YFTzMissingError,
        )

        try:
            yield
        except SourceError:
            raise
        except YFRateLimitError as error:
            raise RateLimitedError(
                f"{symbol}: Yahoo answers 429 (too many requests), even with new cookies; try "
                "again later, or with fewer assets at once"
            ) from error
        except YFTzMissingError as error:
            raise UnknownSymbolError(
                f"{symbol}: Yahoo does not know the symbol ({error})"
            ) from error
        except YFPricesMissingError as error:
            raise NoPricesError(
                f"{symbol}: Yahoo has no prices for these dates ({error})"
            ) from error
        except requests.exceptions.Timeout as error:
            raise SourceUnavailableError(
                f"{symbol}: Yahoo did not answer within {self._timeout:g} seconds"
            ) from error
        except requests.exceptions.RequestException as error:
            raise SourceUnavailableError(f"{symbol}: Yahoo cannot be reached ({error})") from error
        except (YFException, LookupError, TypeError, ValueError) as error:
            raise SourceDataError(
                f"{symbol}: yfinance could not read Yahoo's answer "
                f"({type(error).__name__}: {error})"
            ) from error


def open_source(_config: RunConfig, settings: Settings, _symbols: Sequence[str]) -> PriceSource:
    """Return the source; see `registry.open_source`."""
    return YahooSource(settings.cache_directory, settings.source_urls.get("yahoo"))


def _check_chart(asset: Asset, chart: dict[str, Any]) -> None:
    """Reject errors that yfinance passes on or repairs silently."""
    currency = chart["meta"].get("currency")
    if currency is not None and not _CURRENCY.fullmatch(str(currency)):
        raise SourceDataError(
            f"{asset.symbol}: Yahoo states {quoted(currency)} as currency; a code such as USD is "
            "expected"
        )
    if asset.own_currency is not None and currency not in (None, asset.own_currency):
        raise SourceDataError(
            f"{asset.symbol}: Yahoo states the currency {currency!r}, its entry in the universe "
            f"declares {asset.own_currency!r}; correct the entry or leave its currency out"
        )
    if "adjclose" not in chart.get("indicators", {}):
        raise SourceDataError(
            f"{asset.symbol}: Yahoo's answer has no adjusted close; without it dividends and "
            "splits would look like losses"
        )
    _check_dates(asset, chart)


def _check_dates(asset: Asset, chart: dict[str, Any]) -> None:
    zone = ZoneInfo(chart["meta"]["exchangeTimezoneName"])  # yfinance refuses an unknown one
    days = [datetime.fromtimestamp(moment, zone).date() for moment in chart["timestamp"]]
    own_zone = asset.exchange.timezone
    for day, moment in zip(days, chart["timestamp"], strict=True):
        declared = datetime.fromtimestamp(moment, own_zone).date()
        if day != declared:
            raise SourceDataError(
                f"{asset.symbol}: Yahoo states the time zone {zone.key!r}, where the bar of {day} "
                f"begins on another date than in {own_zone.key!r} ({declared}), which is declared "
                f"for {asset.exchange.name}; correct its time zone"
            )
    closes = chart["indicators"]["quote"][0]["close"]
    # A running session is a second bar of its day at the end; yfinance keeps the newer one.
    bars = list(zip(days, closes, strict=True))
    if len(days) > 1 and days[-1] == days[-2]:
        del bars[-2]
    first_close: dict[date, float | None] = {}
    for day, close in bars:
        if first_close.setdefault(day, close) != close:
            raise SourceDataError(
                f"{asset.symbol}: Yahoo gives two different bars for {day}, closing at "
                f"{first_close[day]} and {close}; one bar per trading date is allowed"
            )
