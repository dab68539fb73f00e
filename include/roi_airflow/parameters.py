"""The DAGs' parameter forms, built from the typed run configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from roi_forecast.config import (
    PRESETS,
    RunConfig,
    parameter_part,
    parameter_schemas,
)
from roi_forecast.config.base import Config
from roi_forecast.price_sources import PRICE_SOURCES
from roi_forecast.universe import load_universe

# Headings of the form by the part of the configuration; any other part is headed by its name.
_SECTIONS = {
    "DataConfig": "Prices",
    "FeatureConfig": "Features",
    "CandidateConfig": "Ensemble and fine-tuning",
    "GateConfig": "Gate and promotion",
    "TunedConfig": "Network and training",
    "TuningConfig": "Search",
    "ApprovalConfig": "Gate and promotion",
}
_ABBREVIATIONS = ("csv", "lstm", "mae", "rmse", "r2")

_CHOICES: Mapping[str, Mapping[str, str]] = {
    "lstm_units_choice": {"presets": "64/32, 128/64 or 256/128", "free": "any"},
    "preset": {name: f"{name}: {preset.meaning}" for name, preset in PRESETS.items()},
    "source": {name: entry.label for name, entry in PRICE_SOURCES.items()},
    "scaler": {"minmax": "to [0, 1]", "standard": "to mean 0 and deviation 1"},
    "architecture": {
        "hybrid_ar": "LSTM-attention network beside an autoregressive highway",
        "hybrid": "LSTM-attention network alone (the reference)",
    },
    "loss": {
        "mse": "squared error",
        "mae": "absolute error",
        "huber": "Huber: squared up to huber_delta, then linear",
        "weighted_mse": "squared error, weighted by asset or age",
        "pinball": "pinball error of a quantile",
    },
    "training_mode": {
        "scratch": "from nothing",
        "fine_tune": "go on from the champion",
        "if_due": "from nothing where due, else go on from the champion",
    },
    "multi_step": {
        "direct": "a ridge regression for each horizon",
        "recursive": "the network, fed with its own forecasts",
    },
    "window": {"expanding": "all rows before a refit", "rolling": "the last window_sessions rows"},
}


def run_parameters(kind: type[Config] = RunConfig) -> dict[str, Param]:
    """Return one typed `Param` for every parameter of a kind of run, with bounds and meaning.

    The form groups them by the part of the configuration, names choices in words and offers the
    assets of the universe to pick from.
    """
    parameters = {}
    for name, schema in parameter_schemas(kind).items():
        default = schema.pop("default")
        part = parameter_part(kind, name).__name__
        section = _SECTIONS.get(part, _words(part.removesuffix("Config")))
        form = {"title": _words(name), "section": section, **_widget(name)}
        parameters[name] = Param(default, **{**schema, **form})
    return parameters


def explicit_parameters(conf: Mapping[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person gave, without the values that a form sends along untouched.

    The trigger form of the UI sends every parameter. One that still has the form's value was not
    chosen, and gives way to the preset.

    Args:
        conf: The conf of the run.
        form: Default of every parameter of the form.
    """
    if not form.keys() <= conf.keys():
        return dict(conf)
    return {name: value for name, value in conf.items() if name not in form or value != form[name]}


def _widget(name: str) -> dict[str, Any]:
    if name == "symbols":
        assets = load_universe().assets
        names = {asset.symbol: f"{asset.name} ({asset.symbol})" for asset in assets}
        return {"examples": list(names), "values_display": names}
    if name == "gate_override_reason":
        return {"format": "multiline"}
    return {"values_display": dict(_CHOICES[name])} if name in _CHOICES else {}


def _words(name: str) -> str:
    """Return a parameter's or a class's name as words: `lstm_units` is LSTM units."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
    words = " ".join(part.upper() if part in _ABBREVIATIONS else part for part in parts)
    return words[0].upper() + words[1:]
