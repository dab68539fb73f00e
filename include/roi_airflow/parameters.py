"""The DAG's parameters, built from the typed run configuration."""

from __future__ import annotations

from airflow.sdk import Param

from roi_forecast.config import parameter_schemas


def run_parameters() -> dict[str, Param]:
    """Return one typed `Param` for every run parameter, with its bounds and description."""
    parameters = {}
    for name, schema in parameter_schemas().items():
        default = schema.pop("default")
        parameters[name] = Param(default, **schema)
    return parameters
