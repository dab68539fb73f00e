"""The DAG's parameters, built from the typed run configuration."""

from __future__ import annotations

from airflow.sdk import Param

from roi_forecast.config import RunConfig, SharedConfig, parameter_schemas


def run_parameters(kind: type[SharedConfig] = RunConfig) -> dict[str, Param]:
    """Return one typed `Param` for every parameter of a kind of run, with bounds and meaning."""
    parameters = {}
    for name, schema in parameter_schemas(kind).items():
        default = schema.pop("default")
        parameters[name] = Param(default, **schema)
    return parameters
