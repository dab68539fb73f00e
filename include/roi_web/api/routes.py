"""What every route of the API does: it checks the query, and answers in the format asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from roi_forecast.quoting import listed, quoted
from roi_web.http import csv_answers
from roi_web.http.accept import preferred
from roi_web.http.csv_answers import CsvResponse, columns_of, value_at
from roi_web.http.parameters import check_parameters, declared_parameters
from roi_web.http.problems import ProblemError

Format = Literal["json", "csv"]

JSON = "application/json"
_MEDIA_TYPES: dict[str, Format] = {JSON: "json", csv_answers.MEDIA_TYPE: "csv"}
_PREFIX = "/api/v1/"


class FormatQuery(BaseModel):
    """The query of a list, which is answered as JSON or as CSV."""

    format: Format | None = Field(
        None,
        exclude=True,
        description="`json` or `csv`; by default what `Accept` prefers, or JSON.",
    )


async def check_request(request: Request) -> None:
    """Refuse a request that asks for what there is not.

    Raises:
        ProblemError: A parameter is unknown or repeated, or no acceptable format can be made.
    """
    check_parameters(request)
    route: APIRoute = request.scope["route"]
    offered = _formats(route)
    if request.query_params.get("format") is None and _accepted(request, route) is None:
        raise ProblemError(
            406,
            f"Accept: received {quoted(request.headers['accept'])}; here there is only "
            f"{listed(offered)}",
            received=request.headers["accept"],
            allowed=offered,
        )


class ApiRoute(APIRoute):
    """A route whose list is also answered as CSV, if its query is a `FormatQuery`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if "format" in declared_parameters(self):
            content = {csv_answers.MEDIA_TYPE: {"schema": {"type": "string"}}}
            self.responses = {**self.responses, 200: {"content": content}}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler: it asks the endpoint for the format that Accept prefers."""
        answer = super().get_route_handler()

        async def answer_in_format(request: Request) -> Response:
            wanted = request.query_params.get("format")
            if wanted is None and _accepted(request, self) == csv_answers.MEDIA_TYPE:
                wanted = "csv"
                query = urlencode([*request.query_params.multi_items(), ("format", wanted)])
                scope = {**request.scope, "query_string": query.encode()}
                request = Request(scope, request.receive)
            response = await answer(request)
            if wanted == "csv":
                if not isinstance(response, CsvResponse):
                    response = self._as_csv(response)
                name = _file_name(request)
                response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            response.headers["Vary"] = "Accept"
            return response

        return answer_in_format

    def _as_csv(self, response: Response) -> CsvResponse:
        """Return a whole list, answered as JSON, as CSV."""
        (model,) = get_args(self.response_model)
        paths = columns_of(model)
        return CsvResponse(
            [".".join(path) for path in paths],
            ([value_at(row, path) for path in paths] for row in json.loads(bytes(response.body))),
        )


def _formats(route: APIRoute) -> list[str]:
    return list(_MEDIA_TYPES) if "format" in declared_parameters(route) else [JSON]


def _accepted(request: Request, route: APIRoute) -> str | None:
    return preferred(request.headers.get("accept"), _formats(route))


def _file_name(request: Request) -> str:
    """Return the list and the values that it was asked by: forecasts-latest_reference_GC=F.csv."""
    path = request.scope["path"].partition(_PREFIX)[2]
    values = [
        value
        for name, value in request.query_params.items()
        if name not in ("format", "limit", "cursor")
    ]
    words = [re.sub(r"[^A-Za-z0-9.=^_-]+", "-", word).strip(".-") for word in (path, *values)]
    return "_".join(word for word in words if word)[:120] + ".csv"
