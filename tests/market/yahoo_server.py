"""A local server that speaks Yahoo's chart protocol with given prices, and can be told to fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd

from market.local_server import LocalServer
from roi_forecast.market.calendar_data import load_calendar
from roi_forecast.universe import Asset, load_universe

AnswerFault = Literal[
    "rate_limit", "rate_limit_once", "unknown", "empty", "server_error", "html", "truncated", "hang"
]
ContentFault = Literal[
    "missing_last",
    "conflicting_day",
    "repeated_day",
    "unsorted",
    "shifted",
    "gaps",
    "zero",
    "negative",
    "tenfold",
    "impossible_volumes",
    "no_adjusted_close",
    "other_currency",
    "no_currency",
    "impossible_currency",
    "other_time_zone",
    "equivalent_time_zone",
    "unknown_time_zone",
]
Fault = AnswerFault | ContentFault

Chart = dict[str, Any]

_INSTRUMENT_TYPES = {
    "stock": "EQUITY",
    "fund": "MUTUALFUND",
    "index": "INDEX",
    "currency": "CURRENCY",
    "cryptocurrency": "CRYPTOCURRENCY",
}
# Yahoo's bars of these begin with the day; those of exchanges with their opening.
_WHOLE_DAYS = ("CMES", "24/5", "24/7")
_CHART_PATH = "/v8/finance/chart/"


@dataclass(frozen=True)
class ChartRequest:
    """One request for prices, as the server saw it; dates are the exchange's, both inclusive."""

    symbol: str
    start: date
    end: date


class YahooServer(LocalServer):
    """Serves prices on a free port of 127.0.0.1 while the `with` block lasts.

    Args:
        prices: Long form: symbol, trading_date, open, high, low, close, adj_close, volume.
    """

    def __init__(self, prices: pd.DataFrame) -> None:
        self._prices = dict(list(prices.groupby("symbol")))
        self._faults: dict[str, Fault] = {}
        self._stated: dict[str, dict[str, str]] = {}
        self._asked: Counter[str] = Counter()
        super().__init__()
        self.requests: list[ChartRequest] = []

    def break_symbol(self, symbol: str, fault: Fault) -> None:
        self._faults[symbol] = fault

    def heal_symbol(self, symbol: str) -> None:
        self._faults.pop(symbol, None)

    def state(self, symbol: str, meta: dict[str, str]) -> None:
        """State other properties of a symbol in `meta` of its charts."""
        self._stated[symbol] = meta

    def replace_prices(self, symbol: str, rows: pd.DataFrame) -> None:
        self._prices[symbol] = rows

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if parts.path.startswith(_CHART_PATH):
            symbol = unquote(parts.path.removeprefix(_CHART_PATH))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, body = self._chart(symbol, query)
        elif parts.path.endswith("/getcrumb"):
            status, body = HTTPStatus.OK, b"crumb"
        else:
            status, body = HTTPStatus.NOT_FOUND, b"{}"
        try:
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            return  # a client that gave up waiting

    def _chart(self, symbol: str, query: dict[str, str]) -> tuple[HTTPStatus, bytes]:
        fault = self._faults.get(symbol)
        self._asked[symbol] += 1
        if fault == "hang":
            self._stopping.wait(30)
        if fault == "rate_limit" or (fault == "rate_limit_once" and self._asked[symbol] == 1):
            return HTTPStatus.TOO_MANY_REQUESTS, b"Too Many Requests\r\n"
        if fault == "server_error":
            return HTTPStatus.BAD_GATEWAY, b"<html><body>Bad Gateway</body></html>"
        if fault == "html":
            return HTTPStatus.OK, b"<!DOCTYPE html><html><body>Will be back soon</body></html>"
        if fault == "unknown" or symbol not in self._prices:
            return _error(HTTPStatus.NOT_FOUND, "No data found, symbol may be delisted")
        asset = load_universe().asset(symbol)
        zone = asset.exchange.timezone
        rows = self._prices[symbol].sort_values("trading_date")
        if "period1" in query:
            first, beyond = (
                datetime.fromtimestamp(int(query[name]), zone) for name in ("period1", "period2")
            )
            rows = rows[[first <= _opening(asset, day) < beyond for day in rows["trading_date"]]]
            last = datetime.fromtimestamp(int(query["period2"]) - 1, zone)
            self.requests.append(ChartRequest(symbol, first.date(), last.date()))
        else:
            rows = rows.tail(1)
        chart = _as_chart(asset, rows.iloc[:0] if fault == "empty" else rows)
        chart["meta"] |= self._stated.get(symbol, {})
        if fault in _CONTENT_FAULTS and len(rows) > 3:
            _CONTENT_FAULTS[fault](chart)
        body = json.dumps({"chart": {"result": [chart], "error": None}}).encode()
        return HTTPStatus.OK, body[: len(body) // 2] if fault == "truncated" else body


def _error(status: HTTPStatus, description: str) -> tuple[HTTPStatus, bytes]:
    error = {"code": status.phrase, "description": description}
    return status, json.dumps({"chart": {"result": None, "error": error}}).encode()


def _opening(asset: Asset, day: pd.Timestamp) -> datetime:
    zone, calendar = asset.exchange.timezone, asset.exchange.calendar
    if calendar in _WHOLE_DAYS:
        return datetime.combine(day.date(), time(0), zone)
    return datetime.combine(day.date(), load_calendar(calendar).open_times[1], zone)


def _as_chart(asset: Asset, rows: pd.DataFrame) -> Chart:
    meta = {
        "currency": asset.currency,
        "symbol": asset.symbol,
        "instrumentType": "FUTURE"
        if asset.exchange.calendar == "CMES"
        else _INSTRUMENT_TYPES[asset.asset_class],
        "exchangeTimezoneName": asset.exchange.timezone.key,
        "validRanges": ["1d", "5d", "1mo", "max"],
        "dataGranularity": "1d",
        "range": "",
        "priceHint": 2,
    }
    if rows.empty:
        return {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
    names = ("open", "high", "low", "close", "volume")
    return {
        "meta": meta,
        "timestamp": [int(_opening(asset, day).timestamp()) for day in rows["trading_date"]],
        "indicators": {
            "quote": [{name: rows[name].tolist() for name in names}],
            "adjclose": [{"adjclose": rows["adj_close"].tolist()}],
        },
    }


def _columns(chart: Chart) -> list[list[Any]]:
    return [
        chart["timestamp"],
        chart["indicators"]["adjclose"][0]["adjclose"],
        *chart["indicators"]["quote"][0].values(),
    ]


def _price_columns(chart: Chart) -> list[list[Any]]:
    quote = chart["indicators"]["quote"][0]
    prices = [values for name, values in quote.items() if name != "volume"]
    return [chart["indicators"]["adjclose"][0]["adjclose"], *prices]


def _scale_bar(factor: float | None) -> Callable[[Chart], None]:
    """Multiply all prices of the second last bar, or take them away."""

    def change(chart: Chart) -> None:
        for values in _price_columns(chart):
            values[-2] = None if factor is None else factor * values[-2]

    return change


def _give_impossible_volumes(chart: Chart) -> None:
    volumes = chart["indicators"]["quote"][0]["volume"]
    volumes[-3:-1] = [1e20, -1]


def _lose_last_prices(chart: Chart) -> None:
    for values in _price_columns(chart):
        values[-1] = None


def _repeat_day(close_factor: float) -> Callable[[Chart], None]:
    """Give the third last day twice."""

    def change(chart: Chart) -> None:
        for values in _columns(chart):
            values.insert(-2, values[-3])
        chart["indicators"]["quote"][0]["close"][-3] *= close_factor

    return change


def _reverse(chart: Chart) -> None:
    for values in _columns(chart):
        values.reverse()


def _shift_days(chart: Chart) -> None:
    chart["timestamp"] = [moment + 86_400 for moment in chart["timestamp"]]


def _lose_days(chart: Chart) -> None:
    """Take away a third of the days, but not the last."""
    for values in _columns(chart):
        del values[: len(values) - 1 : 3]


def _state(name: str, value: str | None) -> Callable[[Chart], None]:
    def change(chart: Chart) -> None:
        chart["meta"][name] = value

    return change


def _lose_adjusted_close(chart: Chart) -> None:
    del chart["indicators"]["adjclose"]


_CONTENT_FAULTS: dict[Fault | None, Callable[[Chart], None]] = {
    "missing_last": _lose_last_prices,
    "conflicting_day": _repeat_day(1.01),
    "repeated_day": _repeat_day(1.0),
    "unsorted": _reverse,
    "shifted": _shift_days,
    "gaps": _lose_days,
    "zero": _scale_bar(0.0),
    "negative": _scale_bar(-1.0),
    "tenfold": _scale_bar(10.0),
    "impossible_volumes": _give_impossible_volumes,
    "no_adjusted_close": _lose_adjusted_close,
    "other_currency": _state("currency", "USX"),
    "no_currency": _state("currency", None),
    "impossible_currency": _state("currency", "U$"),
    "other_time_zone": _state("exchangeTimezoneName", "America/New_York"),
    "equivalent_time_zone": _state("exchangeTimezoneName", "Asia/Colombo"),
    "unknown_time_zone": _state("exchangeTimezoneName", "Mars/Base"),
}
