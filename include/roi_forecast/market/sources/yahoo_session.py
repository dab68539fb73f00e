"""The HTTP session under yfinance, which reports errors that yfinance would hide.

yfinance hides the status of an answer, replaces a missing adjusted close by the close and silently
drops duplicate days. So this session inspects every chart answer first.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from roi_forecast.errors import SourceUnavailableError
from roi_forecast.market.sources.browser_requests import requests
from roi_forecast.market.sources.source import UnknownSymbolError
from roi_forecast.quoting import quoted

_CHART_PATH = "/v8/finance/chart/"


class MalformedAnswerError(SourceUnavailableError):
    """An answer that is not the expected JSON, such as an error page or a truncated answer."""


class YahooSession(requests.Session):  # type: ignore[misc]  # untyped base
    """A browser-like session that inspects chart answers before yfinance.

    Args:
        timeout: Seconds until a request times out, whatever yfinance sets.
        base_url: Address to query instead of every Yahoo host, or None.
    """

    def __init__(self, timeout: float, base_url: str | None) -> None:
        super().__init__(impersonate="chrome")
        self._timeout_seconds = timeout
        self._base_url = base_url.rstrip("/") if base_url else None
        self.last_chart: dict[str, Any] = {}

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request; see `curl_cffi.requests.Session.request`.

        Raises:
            SourceUnavailableError: Yahoo answers with a server error.
            MalformedAnswerError: A chart answer is not JSON.
            UnknownSymbolError: Yahoo does not know the symbol.
        """
        parts = urlsplit(url)
        options["timeout"] = self._timeout_seconds
        target = url
        if self._base_url and (parts.hostname or "").endswith("yahoo.com"):
            target = self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")
        response = super().request(method, target, **options)
        if parts.path.startswith(_CHART_PATH):
            self._read_chart(parts.path.removeprefix(_CHART_PATH), response)
        return response

    def _read_chart(self, symbol: str, response: Any) -> None:
        status = response.status_code
        if status in {401, 403, 429}:
            return  # yfinance renews its cookies and tries again, or reports it.
        if status >= 500:
            raise SourceUnavailableError(f"{symbol}: Yahoo answers with HTTP status {status}")
        try:
            answer = json.loads(response.content)
            chart = answer["chart"]
            results, error = chart.get("result") or [{}], chart.get("error")
        except (ValueError, LookupError, TypeError, AttributeError) as broken:
            start = response.content[:80].decode(errors="replace")
            raise MalformedAnswerError(
                f"{symbol}: Yahoo's answer (HTTP status {status}) is not a price chart in JSON; "
                f"it begins with {quoted(start)}"
            ) from broken
        if status == 404:
            description = error.get("description") if isinstance(error, dict) else error
            raise UnknownSymbolError(
                f"{symbol}: Yahoo does not know the symbol ({description}); it may be misspelt, "
                "renamed or delisted: correct it or leave it out"
            )
        self.last_chart = results[0]
