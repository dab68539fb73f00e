"""A local server that speaks Twelve Data's protocol with given prices, and can be told to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pandas as pd

from market.local_server import LocalServer
from roi_forecast.universe import load_universe

KEY = "0123456789abcdef"

AnswerFault = Literal[
    "minute_limit",
    "minute_limit_once",
    "minute_limit_in_200",
    "day_limit",
    "unknown",
    "no_data",
    "empty",
    "plan",
    "bad_request",
    "server_error",
    "error_in_200",
    "html",
    "truncated",
    "endless",
    "trickle",
    "hang",
    "redirect",
]
ContentFault = Literal[
    "missing_last",
    "conflicting_day",
    "repeated_day",
    "unsorted",
    "word",
    "moment",
    "no_values",
    "no_meta",
    "other_market",
    "other_time_zone",
    "future",
    "no_volume",
]
Fault = AnswerFault | ContentFault

# A Yahoo symbol, and how its instrument is asked for here.
NAMES: dict[str, dict[str, str]] = {
    "RELIANCE.NS": {"symbol": "RELIANCE", "mic_code": "XNSE"},
    "TCS.NS": {"symbol": "TCS", "mic_code": "XNSE"},
    "INFY.NS": {"symbol": "INFY", "mic_code": "XNSE"},
    "HDFCBANK.NS": {"symbol": "HDFCBANK", "mic_code": "XNSE"},
    "AAPL": {"symbol": "AAPL", "country": "United States"},
    "BRK-B": {"symbol": "BRK.B", "country": "United States"},
    "INR=X": {"symbol": "USD/INR"},
    "EURUSD=X": {"symbol": "EUR/USD"},
}

# Blanks that follow an answer, one each twentieth of a second.
_TRICKLED = 600
_LIMIT = "You have run out of API credits for the {}. 9 API credits were used, limit 8."
_ERRORS: dict[Fault | None, tuple[int, int, str]] = {
    "minute_limit": (429, 429, _LIMIT.format("current minute")),
    "minute_limit_once": (429, 429, _LIMIT.format("current minute")),
    "minute_limit_in_200": (200, 429, _LIMIT.format("current minute")),
    "day_limit": (429, 429, _LIMIT.format("day")),
    "unknown": (404, 404, "**symbol** or **figi** parameter is missing or invalid."),
    "no_data": (400, 400, "No data is available on the specified dates."),
    "plan": (404, 404, "This symbol is available starting with the Grow or Venture plan."),
    "bad_request": (400, 400, "Invalid **interval** provided"),
    "server_error": (502, 502, "bad gateway"),
    "error_in_200": (200, 500, "Internal error"),
}


@dataclass(frozen=True)
class SeriesRequest:
    """One request for prices, as the server saw it."""

    parameters: dict[str, str]


class TwelveDataServer(LocalServer):
    """Serves prices on a free port of 127.0.0.1 while the `with` block lasts.

    Args:
        prices: Long form: symbol (Yahoo's), trading_date, open, high, low, close, volume.
        allowance: Requests for prices answered until `renew` is called; None: all.
    """

    def __init__(self, prices: pd.DataFrame, allowance: int | None = None) -> None:
        self._prices = dict(list(prices.groupby("symbol")))
        self._symbols = {
            tuple(sorted(NAMES[symbol].items())): symbol
            for symbol in self._prices
            if symbol in NAMES
        }
        self._faults: dict[str, Fault] = {}
        self._allowance = self._left = allowance
        super().__init__()
        self.requests: list[SeriesRequest] = []
        self.paths: list[str] = []

    def break_symbol(self, symbol: str, fault: Fault) -> None:
        self._faults[symbol] = fault

    def break_all(self, fault: Fault) -> None:
        for symbol in ("", *self._prices):
            self.break_symbol(symbol, fault)

    def heal_symbol(self, symbol: str) -> None:
        self._faults.pop(symbol, None)

    def replace_prices(self, symbol: str, rows: pd.DataFrame) -> None:
        self._prices[symbol] = rows

    def renew(self, _seconds: float = 0.0) -> None:
        """Begin the next minute."""
        self._left = self._allowance

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.paths.append(handler.path)
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        fault: Fault | None = None
        given = handler.headers["Authorization"]
        if given != f"apikey {KEY}":
            # It repeats the key, in case that Twelve Data ever does.
            status, body = _error(401, 401, f"**apikey** parameter is incorrect: {given}")
        elif parts.path == "/api_usage":
            fault = self._faults.get("")
            status, body = self._failure("", fault) or (200, {"current_usage": 1, "plan_limit": 8})
        elif parts.path == "/time_series":
            named = {
                name: query[name] for name in ("symbol", "mic_code", "country") if name in query
            }
            symbol = self._symbols.get(tuple(sorted(named.items())), "unlisted")
            fault = self._faults.get(symbol)
            status, body = self._series(symbol, fault, query)
        else:
            status, body = _error(404, 404, "no such endpoint")
        self._send(handler, status, body, fault)

    def _failure(self, symbol: str, fault: Fault | None) -> tuple[int, Any] | None:
        if fault == "hang":
            self._stopping.wait(30)
        if fault == "redirect":
            return 302, {}
        if fault not in _ERRORS:
            return None
        if fault == "minute_limit_once":
            self.heal_symbol(symbol)
        return _error(*_ERRORS[fault])

    def _series(self, symbol: str, fault: Fault | None, query: dict[str, str]) -> tuple[int, Any]:
        self.requests.append(SeriesRequest(query))
        if self._left is not None:
            if self._left == 0:
                return _error(*_ERRORS["minute_limit"])
            self._left -= 1
        if failure := self._failure(symbol, fault):
            return failure
        if symbol not in self._prices:
            return _error(*_ERRORS["unknown"])
        days = self._prices[symbol]["trading_date"]
        inside = days.between(query["start_date"], query["end_date"])
        rows = self._prices[symbol][inside].sort_values("trading_date")
        if rows.empty:
            return _error(*_ERRORS["no_data"])
        return 200, _as_series(symbol, rows, fault)

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: Any, fault: Fault | None
    ) -> None:
        data = json.dumps(body).encode()
        if fault == "html":
            asked_with = str(handler.headers["Authorization"])
            page = f"<!DOCTYPE html><html><body>Will be back soon, dear visitor with {asked_with}"
            data = page.encode()
        if fault == "truncated":
            data = data[: len(data) // 2]
        try:
            handler.send_response(status)
            if fault == "redirect":
                handler.send_header("Location", self.url + "/elsewhere")
            if fault not in {"endless", "trickle"}:
                handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
            while fault == "endless" and not self._stopping.is_set():
                handler.wfile.write(b" " * 2**20)
            for _ in range(_TRICKLED if fault == "trickle" else 0):
                if self._stopping.wait(0.05):
                    break
                handler.wfile.write(b" ")
        except (BrokenPipeError, ConnectionResetError):
            return  # a client that gave up waiting


def _error(status: int, code: int, message: str) -> tuple[int, Any]:
    return status, {"code": code, "message": message, "status": "error"}


def _as_series(symbol: str, rows: pd.DataFrame, fault: Fault | None) -> Any:
    asset = load_universe().asset(symbol)
    name = NAMES[symbol]
    meta = {"symbol": name["symbol"], "interval": "1day", "type": "Common Stock"}
    if "/" in name["symbol"]:
        meta |= {"type": "Physical Currency", "currency_base": "A", "currency_quote": "B"}
    else:
        zone, market = asset.exchange.timezone.key, name.get("mic_code", "XNGS")
        meta |= {"currency": asset.currency, "exchange_timezone": zone, "mic_code": market}
    numbers = ["open", "high", "low", "close", *(["volume"] if "/" not in name["symbol"] else [])]
    values = [
        {"datetime": f"{row['trading_date']:%Y-%m-%d}"}
        | {number: repr(float(row[number])) for number in numbers}
        for _, row in rows.iterrows()
    ]
    answer = {"meta": meta, "values": values, "status": "ok"}
    _spoil(answer, fault)
    return answer


def _spoil(answer: dict[str, Any], fault: Fault | None) -> None:
    meta, values = answer["meta"], answer["values"]
    match fault:
        case "empty":
            answer["values"] = []
        case "missing_last":
            values[-1] |= {"open": None, "high": None, "low": None, "close": None}
        case "conflicting_day":
            values.append(values[-1] | {"close": "1.5"})
        case "repeated_day":
            values.append(values[-1])
        case "unsorted":
            values.reverse()
        case "word":
            values[-1]["close"] = "n/a"
        case "moment":
            values[-1]["datetime"] += " 15:30:00"
        case "no_values":
            del answer["values"]
        case "no_meta":
            del answer["meta"]
        case "other_market":
            meta["mic_code"] = "XBOG"
        case "other_time_zone":
            meta["exchange_timezone"] = "Europe/London"
        case "future":
            values.append(values[-1] | {"datetime": "2099-01-01"})
        case "no_volume":
            for row in values:
                row.pop("volume", None)
