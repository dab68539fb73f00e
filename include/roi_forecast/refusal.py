"""Explaining rejected run parameters to the user."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from roi_forecast.quoting import MAX_LISTED, named, quoted


def explain(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """Name each rejected parameter, the value received and the allowed values.

    Args:
        error: Raised by pydantic.
        schema: JSON schema of every parameter, by name.
    """
    lines = []
    for detail in error.errors(include_url=False):
        location = named(".".join(str(part) for part in detail["loc"]))
        name = str(detail["loc"][0]) if detail["loc"] else ""
        value = detail["input"]
        received = quoted(str(value) if isinstance(value, date) else value)
        if detail["type"] == "extra_forbidden":
            close = get_close_matches(name, schema, n=1)
            hint = f"did you mean {close[0]}?" if close else f"allowed are {', '.join(schema)}"
            lines.append(f"{location}: unknown parameter, received {received}; {hint}")
        elif not name:
            lines.append(detail["msg"].removeprefix("Value error, "))
        elif detail["type"] == "value_error":
            reason = detail["msg"].removeprefix("Value error, ")
            lines.append(f"{location}: received {received}; {reason}")
        else:
            lines.append(
                f"{location}: received {received}; allowed is "
                f"{_allowed(schema[name])} ({detail['msg'].lower()})"
            )
    more = len(lines) - MAX_LISTED
    also = [f"and {more} more refusals"] if more > 0 else []
    return "run parameters refused: " + "; ".join([*lines[:MAX_LISTED], *also])


def _allowed(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(repr(value) for value in schema["enum"])
    words = [{"null": "nothing (null)"}.get(schema["type"], str(schema["type"]))]
    bounds = {
        "minimum": "from {}",
        "exclusiveMinimum": "above {}",
        "maximum": "to {}",
        "exclusiveMaximum": "below {}",
        "multipleOf": "in steps of {}",
        "pattern": "matching {}",
        "format": "written as a {}",
        "minLength": "of at least {} characters",
        "maxLength": "of at most {} characters",
        "minItems": "of at least {} items",
        "maxItems": "of at most {} items",
    }
    words += [text.format(schema[key]) for key, text in bounds.items() if key in schema]
    if schema["type"] == "array":
        item_schemas = schema.get("prefixItems") or [schema["items"]]
        words.append("each " + _allowed(item_schemas[0]))
    return " ".join(words)
