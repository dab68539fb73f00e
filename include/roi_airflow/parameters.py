"""The trigger forms of the DAGs, built from the typed run configuration."""

from __future__ import annotations

from airflow.sdk import Param

from roi_airflow.refusals import form_defaults
from roi_forecast.config import Config, RunConfig, parameter_schemas
from roi_forecast.quoting import listed

_MAX_OFFERED = 40
"""Symbols of the universe that the form shows."""
_ABBREVIATIONS = ("csv", "lstm", "l2")


def run_parameters(kind: type[Config] = RunConfig) -> dict[str, Param]:
    """Return one typed `Param` with bounds, description and section for every parameter.

    The default of `publish` is the installation's.

    Args:
        kind: The kind of run.
    """
    defaults = form_defaults(kind)
    parameters = {}
    for name, schema in parameter_schemas(kind).items():
        del schema["default"]
        offered = schema.pop("offered", ())
        if offered:
            schema["description"] += f" The universe has {listed(offered, _MAX_OFFERED)}."
        choices = schema.get("items", {}).get("enum")
        if choices:
            # Airflow's form offers a list of values for examples alone, and no others.
            schema["examples"] = choices
        parameters[name] = Param(defaults[name], **{**schema, "title": _title(name)})
    return parameters


def _title(name: str) -> str:
    """Return a parameter's name as words: `lstm_units` becomes LSTM units."""
    words = [word.upper() if word in _ABBREVIATIONS else word for word in name.split("_")]
    title = " ".join(words)
    return title[0].upper() + title[1:]
