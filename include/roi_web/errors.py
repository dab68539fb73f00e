"""Error responses: one sentence, as a problem for programs or as a page for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from roi_forecast.quoting import quoted
from roi_forecast.reading.pagination import CursorError
from roi_web.headers import ALWAYS
from roi_web.http.accept import preferred
from roi_web.http.parameters import allowed_in_words, allowed_values, parameter_schema
from roi_web.http.problems import (
    DOCUMENTATION,
    INVALID_PARAMETER,
    MEDIA_TYPE,
    ProblemError,
    ProblemType,
    problem_response,
)
from roi_web.rendering import render, root_of

logger = logging.getLogger(__name__)

_FOR_PROGRAMS = ("/api/", "/openapi.json", "/static/")
_RETRY = {"Retry-After": "5"}

_UNDEFINED = {"42P01", "42703", "3F000"}
_NOT_PERMITTED = {"42501"}
_CANCELLED = "57014"


def add_error_handlers(app: FastAPI) -> None:
    """Register a handler for every error that a request may raise."""

    @app.exception_handler(HTTPException)
    def known(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # What GET answers, HEAD does too.
            headers["Allow"] = headers.get("Allow", "GET").replace("GET", "GET, HEAD")
            if request.method == "OPTIONS":
                return Response(None, HTTPStatus.NO_CONTENT, headers)
        if error.status_code == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        kind, members = None, None
        if isinstance(error, ProblemError):
            kind, members = error.kind, error.members
        sentence = _sentence(request, error, headers)
        return _respond(request, error.status_code, sentence, headers, kind, members)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        sentence, members = _invalid_parameter(request, error)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _respond(request, status, sentence, None, INVALID_PARAMETER, members)

    @app.exception_handler(CursorError)
    def wrong_cursor(request: Request, error: CursorError) -> Response:
        members = {"parameter": "cursor", "received": request.query_params.get("cursor")}
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _respond(request, status, str(error), None, INVALID_PARAMETER, members)

    @app.exception_handler(DBAPIError)
    def database(request: Request, error: DBAPIError) -> Response:
        logger.error("the market database did not answer %s: %s", request.url.path, error.orig)
        sentence = _database_sentence(error)
        return _respond(request, HTTPStatus.SERVICE_UNAVAILABLE, sentence, _RETRY)

    @app.exception_handler(PoolTimeoutError)
    def busy(request: Request, error: PoolTimeoutError) -> Response:
        logger.error("no connection for %s: %s", request.url.path, error)
        sentence = "all connections to the market database are busy; try again"
        return _respond(request, HTTPStatus.SERVICE_UNAVAILABLE, sentence, _RETRY)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        del error  # Starlette raises it again, so that the server logs it.
        sentence = "this request met an error of the server; see the API server's log"
        return _respond(request, HTTPStatus.INTERNAL_SERVER_ERROR, sentence, ALWAYS)


def _sentence(request: Request, error: HTTPException, headers: Mapping[str, str]) -> str:
    """Return what an error says; those of the framework and of Airflow say less than is known."""
    path = request.scope["path"]
    dag_id = request.app.state.dag_id
    match error.status_code:
        case HTTPStatus.UNAUTHORIZED:
            return (
                "nobody is logged in; log in to Airflow, or send `Authorization: Bearer` with a "
                "token from `POST /auth/token`"
            )
        case HTTPStatus.FORBIDDEN:
            return (
                f"the token is wrong or has expired, or its user may not read the DAG {dag_id}; "
                "get another by `POST /auth/token`"
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{quoted(request.method)} is not possible here; allowed: {headers['Allow']}"
        case HTTPStatus.NOT_FOUND if error.detail == HTTPStatus.NOT_FOUND.phrase:
            documentation = f"{root_of(request)}/{DOCUMENTATION}"
            return f"there is nothing at {quoted(path)}; {documentation} lists what there is"
    return str(error.detail)


def _invalid_parameter(
    request: Request, error: RequestValidationError
) -> tuple[str, dict[str, Any]]:
    """Return the sentence and the members of the first parameter that is wrong."""
    first = error.errors()[0]
    name = str(first["loc"][1]) if len(first["loc"]) > 1 else "request"
    route = request.scope.get("route")
    schema = parameter_schema(route, name) if isinstance(route, APIRoute) else {}
    allowed = allowed_in_words(schema) or str(first["msg"])
    if len(allowed_values(schema)) > 1:
        allowed = f"one of {allowed}"
    if first["type"] == "value_error":
        allowed = str(first["ctx"]["error"])
    members: dict[str, Any] = {"parameter": name, "allowed": allowed_values(schema) or None}
    if first["type"] == "missing":
        return f"{name}: it is missing; it has to be {allowed}", members
    received = first.get("input")
    members["received"] = str(received)
    return f"{name}: received {quoted(received)}; it has to be {allowed}", members


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
    request: Request,
    status: int,
    sentence: str,
    headers: Mapping[str, str] | None = None,
    kind: ProblemType | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    root = root_of(request)
    path = request.scope["path"].removeprefix(root)
    accept = request.headers.get("accept")
    wants_page = preferred(accept, ("text/html", MEDIA_TYPE, "application/json")) == "text/html"
    if path.startswith(_FOR_PROGRAMS) or not wants_page:
        return problem_response(
            status, sentence, root=root, kind=kind, headers=headers, members=members
        )
    return render(
        request,
        "error.html",
        status=status,
        headers=headers,
        title=HTTPStatus(status).phrase,
        sentence=sentence,
        login_needed=status == HTTPStatus.UNAUTHORIZED,
    )
