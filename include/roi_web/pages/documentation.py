"""The page that explains the REST API: its own OpenAPI description, rendered."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from roi_web.chosen import Chosen
from roi_web.http.csv_answers import MAX_ROWS
from roi_web.http.parameters import Schema, allowed_in_words
from roi_web.http.problems import DOCUMENTATION, PROBLEM_TYPES
from roi_web.navigation import Tab
from roi_web.rendering import render, root_of

router = APIRouter()

_TAB = Tab(DOCUMENTATION, "REST API", position=0)
_REFERENCE = "#/components/schemas/"
_TYPES = {
    "string": "text",
    "array": "list",
    "integer": "whole number",
    "boolean": "true or false",
    "date-time": "time",
}
_OF_EVERY_LIST = ("limit", "cursor", "format")


@dataclass(frozen=True)
class Parameter:
    """A parameter: its name, what it may hold, and what it does."""

    name: str
    allowed: str
    meaning: str
    default: str
    is_required: bool
    is_in_path: bool


@dataclass(frozen=True)
class Field:
    """A field of a response: its name, what it holds, and its meaning with its unit."""

    name: str
    kind: str
    meaning: str


@dataclass(frozen=True)
class Endpoint:
    """What one path answers.

    Attributes:
        path: Below the application, with the names of its parameters in braces.
        group: Its heading.
        meaning: In one sentence.
        parameters: In its path and query.
        has_pages: Whether it answers a page of rows at a time.
        has_csv: Whether it also answers as CSV.
        fields: Of one row, or of the whole answer.
        command: A line for a shell.
    """

    path: str
    group: str
    meaning: str
    parameters: list[Parameter]
    has_pages: bool
    has_csv: bool
    fields: list[Field]
    command: str

    @property
    def is_open(self) -> bool:
        """Whether it answers without any parameter."""
        return not any(parameter.is_required for parameter in self.parameters)


@router.get(f"/{DOCUMENTATION}")
def show_documentation(request: Request) -> HTMLResponse:
    """Show every list with its parameters and fields, and every kind of problem."""
    groups: dict[str, list[Endpoint]] = {}
    address = f"{request.url.scheme}://{request.url.netloc}{root_of(request)}"
    for endpoint in _endpoints(request.app.openapi(), address):
        groups.setdefault(endpoint.group, []).append(endpoint)
    return render(
        request,
        "documentation.html",
        tab=_TAB,
        chosen=Chosen([], None),
        groups=groups,
        problems=PROBLEM_TYPES,
        max_rows=MAX_ROWS,
        address=f"{request.url.scheme}://{request.url.netloc}",
    )


def _endpoints(description: dict[str, Any], address: str) -> Iterator[Endpoint]:
    schemas: dict[str, Schema] = description["components"]["schemas"]
    for path, methods in description["paths"].items():
        operation = methods["get"]
        content = operation["responses"]["200"]["content"]
        answer = _resolved(schemas, content["application/json"]["schema"])
        items = answer.get("properties", {}).get("items") or answer
        row = _resolved(schemas, items.get("items", items))
        parameters = [
            Parameter(
                each["name"],
                allowed_in_words(each["schema"]),
                each.get("description", "").replace("`", ""),
                str(each["schema"].get("default") or ""),
                each["required"],
                each["in"] == "path",
            )
            for each in sorted(
                operation["parameters"], key=lambda each: each["name"] in _OF_EVERY_LIST
            )
        ]
        needed = "&".join(
            f"{each.name}=…" for each in parameters if each.is_required and not each.is_in_path
        )
        target = shlex.quote(f"{address}{path}" + (f"?{needed}" if needed else ""))
        yield Endpoint(
            path=path,
            group=operation["tags"][0],
            meaning=operation["description"],
            parameters=parameters,
            has_pages="next_cursor" in answer.get("properties", {}),
            has_csv="text/csv" in content,
            fields=list(_fields(schemas, row)),
            command=f'curl -H "Authorization: Bearer $token" {target}',
        )


def _fields(schemas: dict[str, Schema], schema: Schema, prefix: str = "") -> Iterator[Field]:
    """Yield the fields of an object, and those of the objects inside it."""
    for name, field in schema.get("properties", {}).items():
        options = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
        inner = _resolved(schemas, options[0])
        element = _resolved(schemas, inner.get("items", {}))
        is_list = "properties" in element
        if is_list or "properties" in inner:
            yield from _fields(
                schemas, element if is_list else inner, f"{prefix}{name}{'[]' if is_list else ''}."
            )
            continue
        kind = inner.get("format") or inner.get("type", "")
        nullable = ", or null" if len(options) < len(field.get("anyOf", options)) else ""
        words = f"{_TYPES.get(kind, kind)}{nullable}"
        yield Field(f"{prefix}{name}", words, field.get("description", ""))


def _resolved(schemas: dict[str, Schema], schema: Schema) -> Schema:
    reference = schema.get("$ref", "")
    return schemas[reference.removeprefix(_REFERENCE)] if reference else schema
