"""Limits on what a client may send to the API server: bodies, requests, attempts to log in."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

RATE_LIMITS_VARIABLE = "ROI_RATE_LIMITS"
"""Set to `on` where more than one person can reach the API server."""

MAX_BODY_BYTES = 1024**2
REQUESTS_PER_SECOND = 50.0
REQUESTS_AT_ONCE = 300.0
LOGINS_PER_SECOND = 0.2
LOGINS_AT_ONCE = 10.0

# Tasks report here, with tokens of their own; what they send is not a person's.
_TASKS = "/execution/"
_LOGINS = ("/auth/token", "/auth/login")
_MOST_CLIENTS = 10_000


@dataclass
class TokenBucket:
    """Lets `capacity` events of a client through at once, and `rate` a second in the long run.

    Args:
        rate: Events a second.
        capacity: Events at once.
        clock: Seconds that only grow.
    """

    rate: float
    capacity: float
    clock: Callable[[], float] = time.monotonic
    _clients: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait_of(self, client: str) -> float:
        """Count an event; return 0, or after how many seconds the client may try again."""
        now = self.clock()
        left, counted_at = self._clients.get(client, (self.capacity, now))
        left = min(self.capacity, left + (now - counted_at) * self.rate)
        if left < 1:
            return (1 - left) / self.rate
        if len(self._clients) >= _MOST_CLIENTS:
            self._forget_idle(now)
        self._clients[client] = (left - 1, now)
        return 0.0

    def _forget_idle(self, now: float) -> None:
        """Keep only clients whose bucket is not full again."""
        full_after = self.capacity / self.rate
        self._clients = {
            client: (left, counted_at)
            for client, (left, counted_at) in self._clients.items()
            if now - counted_at < full_after
        }


class RequestLimits:
    """ASGI middleware that refuses too large a body with 413 and too many requests with 429.

    The rates hold per process of the API server and per address of a client; behind a proxy the
    API server has to be told to take that address from the proxy's headers.

    Args:
        app: What to protect.
        with_rates: Whether requests are counted; the size of a body is always limited.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        with_rates: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if with_rates is None:
            with_rates = os.environ.get(RATE_LIMITS_VARIABLE) == "on"
        self._app = app
        self._with_rates = with_rates
        self._requests = TokenBucket(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE, clock)
        self._logins = TokenBucket(LOGINS_PER_SECOND, LOGINS_AT_ONCE, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http" or scope["path"].startswith(_TASKS):
            await self._app(scope, receive, send)
            return
        wait = self._wait(scope) if self._with_rates else 0.0
        if wait > 0:
            await _refuse(send, 429, "too many requests; try again later", retry_after=wait)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
            await _refuse(send, 413, f"a request may hold {MAX_BODY_BYTES} bytes")
            return
        await self._with_counted_body(scope, receive, send)

    def _wait(self, scope: Scope) -> float:
        client = (scope.get("client") or ("unknown", 0))[0]
        if scope["method"] == "POST" and scope["path"].startswith(_LOGINS):
            return max(self._logins.wait_of(client), self._requests.wait_of(client))
        return self._requests.wait_of(client)

    async def _with_counted_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        has_answered = False

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise _BodyTooLargeError
            return message

        async def noted_send(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            await self._app(scope, counted_receive, noted_send)
        except _BodyTooLargeError:
            if not has_answered:
                await _refuse(send, 413, f"a request may hold {MAX_BODY_BYTES} bytes")


class _BodyTooLargeError(Exception):
    """A body without a declared length went past the limit."""


async def _refuse(send: Send, status: int, detail: str, *, retry_after: float = 0.0) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if retry_after:
        headers.append((b"retry-after", b"%d" % (retry_after + 1)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
