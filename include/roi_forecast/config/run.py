"""All parameters of a run together: the checks across them, and their form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, field_validator, model_validator

from roi_forecast.config.data import DataConfig
from roi_forecast.config.features import FeatureConfig
from roi_forecast.config.gate import GateConfig
from roi_forecast.config.model import ModelConfig
from roi_forecast.errors import ConfigError, UniverseError
from roi_forecast.refusal import explain
from roi_forecast.universe import load_universe


class RunConfig(GateConfig, ModelConfig, FeatureConfig, DataConfig):
    """All parameters of one daily run."""

    @field_validator("symbols")
    @classmethod
    def _symbols_are_known_and_differ(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        doubled = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
        if doubled:
            raise ValueError(f"each symbol once; doubled: {', '.join(doubled)}")
        try:
            load_universe().select(symbols)
        except UniverseError as error:
            raise ValueError(str(error)) from error
        return symbols

    @model_validator(mode="after")
    def _parameters_fit_together(self) -> Self:
        if self.source == "csv" and not self.csv_path:
            raise ValueError("csv_path: received nothing; source csv needs a file or folder")
        if self.source != "csv" and self.csv_path:
            raise ValueError(
                f"csv_path: received {self.csv_path!r} with source {self.source!r}; "
                "leave it out or set source to csv"
            )
        if self.smoothing > self.seq_len:
            raise ValueError(
                f"smoothing: received {self.smoothing}; it must not exceed seq_len {self.seq_len}"
            )
        if self.start_date and self.as_of_date and self.start_date >= self.as_of_date:
            raise ValueError(
                f"start_date: received {self.start_date}; it must lie before the as_of_date "
                f"{self.as_of_date}"
            )
        return self

    @property
    def resolved_model_name(self) -> str:
        """The model name, or the default for the source."""
        if self.model_name is not None:
            return self.model_name
        return "reference" if self.source == "yahoo" else self.source

    @property
    def source_key(self) -> str:
        """The key of the source in the database: `yahoo`, `simulated` or `csv:<file name>`."""
        if self.source != "csv":
            return self.source
        name = Path(str(self.csv_path)).name
        return "csv:" + re.sub(r"(\.csv|\.txt)?(\.gz)?$", "", name)


def parse_run_config(values: Mapping[str, Any]) -> RunConfig:
    """Validate run parameters as a person gave them.

    Raises:
        ConfigError: Names each wrong parameter, the value received and what is allowed.
    """
    try:
        return RunConfig.model_validate(dict(values))
    except ValidationError as error:
        schema = RunConfig.model_json_schema()["properties"]
        raise ConfigError(explain(error, schema)) from error


def parameter_schemas() -> dict[str, dict[str, Any]]:
    """Return a flat JSON schema with description and default for every run parameter.

    The parameter form is built from it, so that a form and the run itself refuse the same values.
    """
    defaults = RunConfig().model_dump(mode="json")
    schemas = {}
    for name, schema in RunConfig.model_json_schema()["properties"].items():
        options = schema.pop("anyOf", None)
        if options is not None:
            value, _ = sorted(options, key=lambda option: option["type"] == "null")
            schema = {**schema, **value, "type": ["null", value["type"]]}
        if "prefixItems" in schema:
            schema["items"] = schema.pop("prefixItems")[0]
        schemas[name] = {**schema, "default": defaults[name]}
    return schemas
