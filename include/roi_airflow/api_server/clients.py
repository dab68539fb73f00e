"""Who sends a request: the subject of its token, its network, the device of an earlier login."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.tokens import JWTValidator, get_sig_validation_args
from airflow.configuration import conf
from itsdangerous import BadSignature, URLSafeTimedSerializer
from jwt import InvalidTokenError
from starlette.requests import HTTPConnection
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Scope

PEOPLE = "api_auth"
TASKS = "execution_api"
_AUDIENCE_OF_PEOPLE = ["apache-airflow"]  # Airflow's own default, missing in its configuration.

DEVICE_COOKIE = "roi_device"
_DEVICE_SECONDS = 90 * 24 * 3600

_IPV6_PREFIX = 64


@cache
def _validator(section: str) -> JWTValidator:
    audience = conf.getlist(section, "jwt_audience", fallback=_AUDIENCE_OF_PEOPLE)
    return JWTValidator(audience=audience, **get_sig_validation_args())


async def token_subject(scope: Scope, section: str) -> str | None:
    """Return the subject of a request's token, or None without a valid token.

    This checks signature and time; Airflow itself checks later whether a token was revoked.

    Args:
        scope: Of the request.
        section: Whose tokens count: `PEOPLE` (header or cookie) or `TASKS` (header).
    """
    request = HTTPConnection(scope)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "") if section == PEOPLE else ""
    if not token:
        return None
    try:
        claims = await _validator(section).avalidated_claims(token.strip())
    except InvalidTokenError:
        return None
    return claims.get("sub")


def network_of(scope: Scope) -> str:
    """Return the addresses that one client controls: an IPv4 address, or a /64 of IPv6."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, _IPV6_PREFIX), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


class DeviceCookies:
    """Marks a device on which a user signed in, by a signed cookie.

    Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".

    Args:
        secret: Signs the cookies; whoever knows it can forge them.
    """

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt=DEVICE_COOKIE)

    def header(self, account: str) -> tuple[bytes, bytes]:
        """Return the header that marks a device on which a user name has signed in."""
        response = Response()
        response.set_cookie(
            DEVICE_COOKIE,
            self._serializer.dumps([token_urlsafe(12), account]),
            max_age=_DEVICE_SECONDS,
            httponly=True,
            samesite="lax",
        )
        return next(header for header in response.raw_headers if header[0] == b"set-cookie")

    def device(self, request: HTTPConnection, account: str) -> str | None:
        """Return the name of a request's device, or None if the account never signed in on it."""
        cookie = request.cookies.get(DEVICE_COOKIE, "")
        try:
            name, owner = self._serializer.loads(cookie, max_age=_DEVICE_SECONDS)
        except BadSignature:
            return None
        return str(name) if owner == account else None
