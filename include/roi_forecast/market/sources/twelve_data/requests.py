"""Requests to Twelve Data: bounded in time and size, with errors by what helps against them.

Errors come as JSON with a code and a message, with the code as HTTP status or with 200:
https://twelvedata.com/docs#errors.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from roi_forecast.errors import SourceDataError, SourceUnavailableError
from roi_forecast.market.sources.source import NoPricesError, UnknownSymbolError
from roi_forecast.quoting import quoted
from roi_forecast.settings import key_variable

logger = logging.getLogger(__name__)

ADDRESS = "https://api.twelvedata.com"
NAME = "twelve_data"
MAX_BYTES = 16 * 2**20
"""Ten times the largest answer, 5,000 bars."""

MAX_MINUTES = 5
"""Minutes that one request waits for the next minute's allowance."""

_MESSAGE = 200
"""Characters of the vendor's own words that a message repeats."""


class LimitError(SourceUnavailableError):
    """The requests that the key's plan allows in a minute or a day are used up."""


class KeyRefusedError(SourceDataError):
    """There is no key, or Twelve Data does not accept it."""


class TwelveDataRequests:
    """Sends requests, and waits where a plan allows only a few in a minute.

    Args:
        address: Of the server.
        key: The key; empty: every request is refused here.
        timeout: Seconds until a request times out, and after which a slow answer is given up.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self, address: str, key: str, timeout: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._address = address.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._sleep = sleep

    def get(self, subject: str, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return an answer without an error.

        Args:
            subject: What is asked for, with which messages begin.
            path: Of the endpoint.
            parameters: Its parameters.

        Raises:
            LimitError: The plan's requests are used up, even minutes later.
            KeyRefusedError: There is no key, it cannot be sent, or it is not accepted.
            UnknownSymbolError: Twelve Data does not know the symbol.
            NoPricesError: It has no bars for the requested dates.
            SourceUnavailableError: No answer in time, a server error, or an answer that is not
                JSON or too long.
            SourceDataError: Another refusal, for example by the key's plan.
        """
        if not self._key:
            raise KeyRefusedError(
                f"{subject}: source {NAME} needs a key: put one from https://twelvedata.com into "
                f"the environment variable {key_variable(NAME)}"
            )
        if not (self._key.isascii() and self._key.isprintable()):
            # As a header it would be refused in words that repeat it.
            raise KeyRefusedError(
                f"{subject}: the key of source {NAME} holds characters that no key has; correct "
                f"the environment variable {key_variable(NAME)}"
            )
        for waited in range(MAX_MINUTES + 1):
            answer, code = self._request(subject, path, parameters)
            message = _without(self._key, str(answer.get("message", "")))
            if code == 429 and "for the day" not in message and waited < MAX_MINUTES:
                logger.info("%s: waiting for the next minute: %r", subject, message)
                # The allowance is renewed with each minute of the clock.
                self._sleep(61 - time.time() % 60)
                continue
            break
        if code >= 400 or answer.get("status") == "error":
            raise _error(subject, code, message)
        return answer

    def _request(
        self, subject: str, path: str, parameters: Mapping[str, str]
    ) -> tuple[dict[str, Any], int]:
        """Return an answer and its code: the one that it states, or the HTTP status."""
        # In a header the key is in no address, and so in no log.
        headers = {"Authorization": f"apikey {self._key}"}
        try:
            with httpx.stream(
                "GET",
                self._address + path,
                params=dict(parameters),
                headers=headers,
                timeout=self._timeout,
            ) as response:
                status = response.status_code
                body = self._read(subject, response)
        except httpx.TimeoutException as error:
            raise self._too_slow(subject) from error
        except httpx.HTTPError as error:
            raise SourceUnavailableError(
                f"{subject}: Twelve Data cannot be reached ({error})"
            ) from error
        if status >= 500:
            raise SourceUnavailableError(
                f"{subject}: Twelve Data answers with HTTP status {status}"
            )
        try:
            answer = json.loads(body)
            stated = int(answer.get("code", status))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            if status == 429:
                return {}, status
            beginning = _without(self._key, body.decode(errors="replace"))[:80]
            raise SourceUnavailableError(
                f"{subject}: Twelve Data's answer (HTTP status {status}) is not the expected JSON; "
                f"it begins with {quoted(beginning)}"
            ) from error
        return answer, stated

    def _read(self, subject: str, response: httpx.Response) -> bytes:
        body = bytearray()
        begun = time.monotonic()
        for part in response.iter_bytes():
            body += part
            if len(body) > MAX_BYTES:
                raise SourceUnavailableError(
                    f"{subject}: Twelve Data's answer is longer than {MAX_BYTES // 2**20} MiB"
                )
            if time.monotonic() - begun > self._timeout:
                raise self._too_slow(subject)
        return bytes(body)

    def _too_slow(self, subject: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"{subject}: Twelve Data did not answer within {self._timeout:g} seconds"
        )


def _without(key: str, text: str) -> str:
    return text.replace(key, "<key>")[:_MESSAGE]


def _error(subject: str, code: int, message: str) -> Exception:
    words = message.lower()
    said = f"(code {code}: {message!r})"
    if code == 429:
        return LimitError(
            f"{subject}: the requests that Twelve Data allows are used up {said}; try again "
            "later, with fewer assets, or with another plan"
        )
    if code >= 500:
        return SourceUnavailableError(f"{subject}: Twelve Data answers with an error {said}")
    if code == 401:
        return KeyRefusedError(
            f"{subject}: Twelve Data does not accept the key {said}; correct the environment "
            f"variable {key_variable(NAME)}"
        )
    if "available starting with" in words or "available exclusively" in words or code == 403:
        return SourceDataError(
            f"{subject}: the plan of this key does not include it {said}; take another plan, or "
            "the asset from source yahoo or csv, or leave it out"
        )
    if "no data is available" in words:
        return NoPricesError(f"{subject}: Twelve Data has no prices for these dates {said}")
    if code == 404:
        return UnknownSymbolError(
            f"{subject}: Twelve Data does not know the symbol {said}; it may be misspelt, renamed "
            "or delisted: correct it or leave it out"
        )
    return SourceDataError(f"{subject}: Twelve Data refuses the request {said}")
