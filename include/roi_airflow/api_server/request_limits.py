"""Limits on bodies, requests and attempts to log in at the API server.

They depend on the application that a request reaches and on who signed in, never on the spelling of
the path.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.configuration import conf
from limits import parse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match, Mount

from roi_airflow.api_server.clients import (
    PEOPLE,
    TASKS,
    DeviceCookies,
    network_of,
    token_subject,
)
from roi_airflow.api_server.login_limits import ACCOUNT_PAUSE, LoginLimits, account_in
from roi_airflow.api_server.repeated_body import repeated
from roi_airflow.api_server.request_counts import RequestCounts
from roi_web.admission import CLIENT
from roi_web.http.problems import problem_response
from roi_web.queues import QueueFullError

if TYPE_CHECKING:
    from limits import RateLimitItem
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANONYMOUS_BODY_BYTES = 16 * 1024
PERSON_BODY_BYTES = 1024**2
TASK_BODY_BYTES = 2 * 1024**2
BODY_SECONDS = 60.0
ANONYMOUS_REQUESTS = parse("1200 per minute")
PERSON_REQUESTS = parse("6000 per minute")

_BODY_BYTES = {PEOPLE: PERSON_BODY_BYTES, TASKS: TASK_BODY_BYTES}
_TASK_MOUNT = "/execution"
_LOGIN_MOUNT = "/auth"
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class RequestLimits:
    """ASGI middleware that answers too large a body with 413 and too many requests with 429.

    It counts within this process: people who signed in by the subject of their token, everybody
    else by address (behind a proxy, uvicorn must take it from the proxy's headers). Tasks are not
    counted. Without a valid token a body may be no larger than an attempt to log in.

    Args:
        app: The protected part of the Airflow application in the scope.
        logins: Limits attempts to log in.
        anonymous: Limit on the requests of an address.
        person: Limit on the requests of a person.
        body_seconds: How long a body may take to arrive.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        logins: LoginLimits | None = None,
        anonymous: RateLimitItem = ANONYMOUS_REQUESTS,
        person: RateLimitItem = PERSON_REQUESTS,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._counts = RequestCounts()
        self._logins = logins or LoginLimits(self._counts)
        self._devices = DeviceCookies(conf.get_mandatory_value("api", "secret_key"))
        self._anonymous = anonymous
        self._person = person
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._admit(scope, receive, send)
        except _RefusalError as refusal:
            response = problem_response(
                refusal.status_code, refusal.detail, headers=refusal.headers
            )
            await response(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = reached_mount(scope)
        section = TASKS if mount == _TASK_MOUNT else PEOPLE
        subject = await token_subject(scope, section)
        scope[CLIENT] = f"address {network_of(scope)}" if subject is None else f"subject {subject}"
        may_log_in = mount == _LOGIN_MOUNT and scope["method"] not in _SAFE_METHODS
        if not may_log_in:
            self._count(scope, subject, section)
        max_bytes = ANONYMOUS_BODY_BYTES if subject is None else _BODY_BYTES[section]
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > max_bytes:
            raise _too_large(max_bytes)
        body = _BoundedBody(receive, max_bytes, self._body_seconds)
        send = body.unless_refused(send)
        if may_log_in:
            await self._log_in(scope, body.receive, send, subject)
        else:
            await self._app(scope, body.receive, send)
        if body.error is not None:
            raise body.error

    def _count(self, scope: Scope, subject: str | None, section: str) -> None:
        """Count a request of a person or an address, and refuse it beyond the limit."""
        if subject is None:
            limit, name = self._anonymous, network_of(scope)
        elif section == TASKS:
            return
        else:
            limit, name = self._person, subject
        slot = self._counts.slot(name)
        if not self._counts.add(limit, slot):
            wait = max(1.0, self._counts.seconds_left(limit, slot))
            detail = f"too many requests, {limit} are allowed; try again in {math.ceil(wait)} s"
            raise _too_many(detail, wait)

    async def _log_in(
        self, scope: Scope, receive: Receive, send: Send, subject: str | None
    ) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        account = account_in(request.headers.get("content-type", ""), body)
        again = repeated(body, receive)
        if account is None:
            self._count(scope, subject, PEOPLE)
            await self._app(scope, again, send)
            return
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        async def is_right() -> bool:
            await self._app(scope, again, keep)
            return _is_login(messages[0])

        try:
            device = self._devices.device(request, account)
            paused = await self._logins.check(account, network_of(scope), is_right, device)
        except QueueFullError:
            detail = "too many attempts to log in are waiting; try again later"
            raise _too_many(detail, ACCOUNT_PAUSE) from None
        if paused:
            raise _too_many("this attempt to log in failed, after too many failures", paused)
        if _is_login(messages[0]):
            messages[0]["headers"] = [*messages[0]["headers"], self._devices.header(account)]
        for message in messages:
            await send(message)


def reached_mount(scope: Scope) -> str:
    """Return the path of the mounted application that gets a request; "" is Airflow itself."""
    for route in scope["app"].routes:
        if isinstance(route, Mount) and route.matches(scope)[0] is Match.FULL:
            return route.path
    return ""


class _RefusalError(HTTPException):
    """A request is beyond a limit."""


def _too_large(max_bytes: int) -> _RefusalError:
    return _RefusalError(413, f"the body of this request may have at most {max_bytes} bytes")


def _too_many(detail: str, wait: float) -> _RefusalError:
    return _RefusalError(429, detail, {"Retry-After": str(math.ceil(wait))})


class _BoundedBody:
    """A body that is read up to a number of bytes and of seconds.

    Attributes:
        error: Why the rest is not read.
    """

    def __init__(self, receive: Receive, max_bytes: int, seconds: float) -> None:
        self.error: _RefusalError | None = None
        self._receive = receive
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._deadline: float | None = None
        self._received = 0
        self._is_complete = False

    async def receive(self) -> Message:
        """Return the next message; raise beyond a limit."""
        if self._is_complete:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            detail = f"the body of this request took more than {self._seconds:g} s"
            self.error = _RefusalError(408, detail)
            raise self.error from None
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            self.error = _too_large(self._max_bytes)
            raise self.error
        self._is_complete = not message.get("more_body", False)
        return message

    def unless_refused(self, send: Send) -> Send:
        """Suppress the application's response to a body that it could not read."""

        async def send_unless_refused(message: Message) -> None:
            if self.error is None:
                await send(message)

        return send_unless_refused


def _is_login(start: Message) -> bool:
    """Tell whether a response to an attempt to log in starts as that of a success."""
    if 200 <= start["status"] < 300:
        return True
    cookie = f"{COOKIE_NAME_JWT_TOKEN}=".encode()
    return any(
        name.lower() == b"set-cookie"
        and value.startswith(cookie)
        and value.removeprefix(cookie).partition(b";")[0] not in (b"", b'""')
        for name, value in start["headers"]
    )
