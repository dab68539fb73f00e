"""The trigger forms of the DAGs, built from the typed run configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from roi_forecast.config import Config, RunConfig, parameter_schemas
from roi_forecast.settings import usual_publish

_ABBREVIATIONS = ("csv", "lstm", "l2")


def run_parameters(kind: type[Config] = RunConfig) -> dict[str, Param]:
    """Return one typed `Param` with bounds, description and section for every parameter.

    The default of `publish` is the installation's.

    Args:
        kind: The kind of run.
    """
    parameters = {}
    for name, schema in parameter_schemas(kind).items():
        default = schema.pop("default")
        if name == "publish":
            default = usual_publish()
        parameters[name] = Param(default, **{**schema, "title": _title(name)})
    return parameters


def explicit_parameters(conf: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a person gave, without those that the form left untouched.

    The trigger form sends every parameter. One with the form's own value was not chosen, so a
    preset may replace it.

    Args:
        conf: The conf of the run.
        form: Default of every parameter of the form.
    """
    if not form.keys() <= conf.keys():
        return dict(conf)
    return {name: value for name, value in conf.items() if name not in form or value != form[name]}


def _title(name: str) -> str:
    """Return a parameter's name as words: `lstm_units` becomes LSTM units."""
    words = [word.upper() if word in _ABBREVIATIONS else word for word in name.split("_")]
    title = " ".join(words)
    return title[0].upper() + title[1:]
