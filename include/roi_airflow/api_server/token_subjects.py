"""Who signed in: whom a request's token names, told by its signature alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.tokens import JWTValidator, get_sig_validation_args
from airflow.configuration import conf
from jwt import InvalidTokenError
from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from starlette.types import Scope

PEOPLE = "api_auth"
TASKS = "execution_api"
_AUDIENCE_OF_PEOPLE = ["apache-airflow"]  # Airflow's own default, which its configuration lacks.


@cache
def _validator(section: str) -> JWTValidator:
    audience = conf.getlist(section, "jwt_audience", fallback=_AUDIENCE_OF_PEOPLE)
    return JWTValidator(audience=audience, **get_sig_validation_args())


async def token_subject(scope: Scope, section: str) -> str | None:
    """Return the subject of a request's token, or None where no valid one is there.

    The signature is checked, and the time; whether a token was revoked is left to Airflow, which
    then answers for itself.

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
