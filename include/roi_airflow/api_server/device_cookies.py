"""Devices on which a person has signed in: their attempts to log in wait behind nobody else's.

Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

from __future__ import annotations

from secrets import token_urlsafe

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE = "roi_device"
VALID_SECONDS = 90 * 24 * 3600


class DeviceCookies:
    """Signs a cookie for a device and a user name, and reads it back.

    Args:
        secret: What is signed with; whoever knows it can name any device.
    """

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt=COOKIE)

    def header(self, account: str) -> tuple[bytes, bytes]:
        """Return the header that marks a device as one of a user name.

        Args:
            account: User name that signed in.
        """
        response = Response()
        response.set_cookie(
            COOKIE,
            self._serializer.dumps([token_urlsafe(12), account]),
            max_age=VALID_SECONDS,
            httponly=True,
            samesite="lax",
        )
        return next(header for header in response.raw_headers if header[0] == b"set-cookie")

    def device(self, request: HTTPConnection, account: str) -> str | None:
        """Return which device of a user name sends a request, or None where it is not known.

        Args:
            request: May hold the cookie.
            account: User name that the request gives.
        """
        try:
            content = self._serializer.loads(request.cookies.get(COOKIE, ""), max_age=VALID_SECONDS)
        except BadSignature:
            return None
        name, owner = content
        return str(name) if owner == account else None
