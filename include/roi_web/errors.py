"""Error responses: one sentence, as JSON or as a page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from roi_forecast.quoting import quoted
from roi_forecast.reading.pagination import CursorError
from roi_web.rendering import render, root_of

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"

_UNDEFINED = {"42P01", "42703", "3F000"}
_NOT_PERMITTED = {"42501"}
_CANCELLED = "57014"


class ErrorMessage(BaseModel):
    """The body of every error response."""

    detail: str = Field(description="One sentence: what is wrong and, if it helps, what to do.")


def add_error_handlers(app: FastAPI) -> None:
    """Register a handler for every error that a request may raise."""

    @app.exception_handler(HTTPException)
    def known(request: Request, error: HTTPException) -> Response:
        return _respond(request, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or "request"
        sentence = f"{name}: received {quoted(first.get('input'))}; {first['msg']}"
        return _respond(request, HTTPStatus.UNPROCESSABLE_ENTITY, sentence)

    @app.exception_handler(CursorError)
    def wrong_cursor(request: Request, error: CursorError) -> Response:
        return _respond(request, HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(DBAPIError)
    def database(request: Request, error: DBAPIError) -> Response:
        logger.error("the market database did not answer %s: %s", request.url.path, error.orig)
        return _respond(request, HTTPStatus.SERVICE_UNAVAILABLE, _database_sentence(error))

    @app.exception_handler(PoolTimeoutError)
    def busy(request: Request, error: PoolTimeoutError) -> Response:
        logger.error("no connection for %s: %s", request.url.path, error)
        return _respond(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            "all connections to the market database are busy; try again",
            {"Retry-After": "5"},
        )


def _database_sentence(error: DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None)
    if state in _UNDEFINED:
        return (
            "the market database is behind this code; run `python -m roi_forecast.database.migrate`"
        )
    # A refused connection has no state, only a message.
    if state in _NOT_PERMITTED or "permission denied to set role" in str(error.orig):
        return (
            "the user of the market database may not act as roi_reader; "
            "have its owner run `GRANT roi_reader TO` that user"
        )
    if state == _CANCELLED:
        return "the market database took too long over this; narrow the request"
    if isinstance(error, OperationalError):
        return "the market database cannot be reached; see the API server's log"
    return "the market database refused the query; see the API server's log"


def _respond(
    request: Request, status: int, sentence: str, headers: Mapping[str, str] | None = None
) -> Response:
    path = request.scope["path"].removeprefix(root_of(request))
    if path.startswith((API_PREFIX, "/openapi.json", "/static/")):
        return JSONResponse({"detail": sentence}, status, headers)
    return render(
        request,
        "error.html",
        status=status,
        headers=headers,
        title=HTTPStatus(status).phrase,
        sentence=sentence,
        login_needed=status == HTTPStatus.UNAUTHORIZED,
    )
