"""Write the tables of docs/parameters.md from the typed configuration.

python docs/parameter_tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roi_airflow.parameters import run_parameters
from roi_forecast.config import (
    BacktestRunConfig,
    RetentionConfig,
    RollbackConfig,
    RunConfig,
    TuningRunConfig,
    parameter_schemas,
)
from roi_forecast.config.base import Config

PAGE = Path(__file__).with_name("parameters.md")
KINDS: Mapping[str, type[Config]] = {
    "Daily run": RunConfig,
    "Backtest": BacktestRunConfig,
    "Search": TuningRunConfig,
    "Rollback": RollbackConfig,
    "Retention": RetentionConfig,
}
HEADER = ("| parameter | default (allowed) | meaning |", "|---|---|---|")
_TABLES = re.compile(r"(?<=<!-- tables -->\n).*", re.DOTALL)


def tables() -> str:
    """Return one table for each trigger form; parameters of the daily run appear once."""
    lines: list[str] = []
    known: set[str] = set()
    for kind, config in KINDS.items():
        schemas = parameter_schemas(config)
        lines += ["", f"## {kind}", "", *HEADER]
        section = None
        for name, parameter in run_parameters(config).items():
            if name in known:
                continue
            if config is RunConfig and parameter.schema["section"] != section:
                section = parameter.schema["section"]
                lines.append(f"| **{section}** | | |")
            schema = schemas[name]
            default = f"{_default(name, schema)} {_allowed(schema)}".strip()
            lines.append(f"| `{name}` | {default} | {schema['description']} |")
        known |= set(schemas)
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the page with its tables brought up to date."""
    return _TABLES.sub(lambda _: tables(), PAGE.read_text(encoding="utf-8"))


def _default(name: str, schema: Mapping[str, Any]) -> str:
    default = schema["default"]
    if default is None:
        return "empty"
    if name == "symbols":
        return "the default universe"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _allowed(schema: Mapping[str, Any]) -> str:
    schema = schema.get("items", schema)
    if "enum" in schema:
        return f"({', '.join(choice for choice in schema['enum'] if choice is not None)})"
    lower = schema.get("minimum", schema.get("exclusiveMinimum"))
    upper = schema.get("maximum", schema.get("exclusiveMaximum"))
    if lower is None and upper is None:
        return ""
    ends = [
        "" if end is None else str(int(end) if float(end).is_integer() else end)
        for end in (lower, upper)
    ]
    return f"({'..'.join(ends)})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
