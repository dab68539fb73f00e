"""Headers and cookies of every response of the API server, including Airflow's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.configuration import conf

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Airflow's pages contain inline scripts and styles, so this policy only limits who may frame them.
# The forecasts appear in a frame of the same origin and keep their own, stricter policy.
ALWAYS = (
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
BEHIND_HTTPS = ((b"strict-transport-security", b"max-age=31536000"),)

_COOKIE = b"set-cookie"


class SecurityHeaders:
    """ASGI middleware that adds the headers that a route did not set itself.

    If people reach Airflow by https, every cookie is marked as one for https only. Airflow looks at
    the request instead, which arrives by http from a proxy that ends TLS.

    Args:
        app: The protected application.
        public_address: Address of Airflow for people; by default from Airflow's configuration.
    """

    def __init__(self, app: ASGIApp, *, public_address: str | None = None) -> None:
        if public_address is None:
            public_address = conf.get("api", "base_url", fallback="")
        self._app = app
        self._is_https = urlsplit(public_address).scheme == "https"
        self._headers = ALWAYS + (BEHIND_HTTPS if self._is_https else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._completed(message.get("headers", ()))
            await send(message)

        await self._app(scope, receive, send_completed)

    def _completed(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        completed = [
            (name, self._cookie(value) if name.lower() == _COOKIE else value)
            for name, value in headers
        ]
        return completed + [header for header in self._headers if header[0] not in present]

    def _cookie(self, value: bytes) -> bytes:
        attributes = {part.split(b"=")[0].strip().lower() for part in value.split(b";")[1:]}
        if self._is_https and b"secure" not in attributes:
            value += b"; Secure"
        if b"samesite" not in attributes:
            value += b"; SameSite=Lax"
        return value
