"""What the query of a request may hold: the parameters that its route declares, each once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from roi_forecast.quoting import listed, quoted
from roi_web.http.problems import REPEATED_PARAMETER, UNKNOWN_PARAMETER, ProblemError

Schema = dict[str, Any]
"""The JSON schema of one parameter."""

_FORMATS = {
    "date": "a date such as 2026-11-25",
    "date-time": "a time such as 2026-11-25T21:00:00Z",
}
_TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def declared_parameters(route: APIRoute) -> set[str]:
    """Return the names of the parameters in a route's path and query."""
    names: set[str] = set()
    for field in _fields(route):
        model = _model_of(field)
        names |= {field.alias} if model is None else model.model_fields.keys()
    return names


def parameter_schema(route: APIRoute, name: str) -> Schema:
    """Return the schema of a parameter; nothing of an undeclared one."""
    for field in _fields(route):
        model = _model_of(field)
        if model is not None and name in model.model_fields:
            schema: Schema = model.model_json_schema()["properties"][name]
            return schema
        if model is None and name == field.alias:
            annotated: Any = Annotated[field.field_info.annotation, field.field_info]
            return TypeAdapter(annotated).json_schema()
    return {}


def check_parameters(request: Request) -> None:
    """Refuse parameters that the route does not declare, or that are given more than once.

    Raises:
        ProblemError: One is.
    """
    route: APIRoute = request.scope["route"]
    allowed = sorted(declared_parameters(route) - request.path_params.keys())
    for name in request.query_params:
        values = request.query_params.getlist(name)
        if name not in allowed:
            raise ProblemError(
                UNKNOWN_PARAMETER,
                f"there is no parameter {quoted(name)} here; {alternatives(name, allowed)}",
                parameter=name[:100],
                allowed=allowed,
            )
        if len(values) > 1 and _plain(parameter_schema(route, name)).get("type") != "array":
            raise ProblemError(
                REPEATED_PARAMETER,
                f"{name}: received {len(values)} values, {listed([*map(quoted, values)], 3)}; "
                "one is allowed",
                parameter=name,
            )


def alternatives(name: str, known: Iterable[str]) -> str:
    """Return what there is instead of a wrong name, the nearest one first."""
    names = list(known)
    if not names:
        return "there are none"
    near = get_close_matches(name, names, n=1)
    meant = f"did you mean {quoted(near[0])}? " if near else ""
    return f"{meant}there are: {listed(names, 20)}"


def allowed_values(schema: Schema) -> list[str]:
    """Return the values that a parameter may have, if they are a list."""
    plain = _plain(schema)
    values = plain.get("enum") or ([plain["const"]] if "const" in plain else [])
    return [str(value) for value in values]


def allowed_in_words(schema: Schema) -> str:
    """Return in words what a parameter may hold: a whole number from 1 to 1000."""
    plain = _plain(schema)
    if values := allowed_values(schema):
        return listed(values, 20)
    kind = str(plain.get("type", ""))
    if kind == "string" and "format" not in plain:
        least, most = plain.get("minLength", 0), plain.get("maxLength")
        return f"text of {least} to {most} characters" if most else "text"
    words = _FORMATS.get(plain.get("format", ""), _TYPES.get(kind, kind))
    least, most = plain.get("minimum"), plain.get("maximum")
    if least is not None and most is not None:
        return f"{words} from {least} to {most}"
    if least is not None:
        return f"{words} of at least {least}"
    if most is not None:
        return f"{words} of at most {most}"
    return words


def _plain(schema: Schema) -> Schema:
    """Return a schema without the choice of null, which no query can hold."""
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return options[0] if options else schema


def _fields(route: APIRoute) -> list[Any]:
    flat = get_flat_dependant(route.dependant)
    return [*flat.path_params, *flat.query_params]


def _model_of(field: Any) -> type[BaseModel] | None:
    """Return the model whose fields are the parameters, if a parameter is one."""
    kind = field.field_info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
