"""All parameters of a run together: the checks across them, and their description for forms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from roi_forecast.config.backtest import BacktestConfig
from roi_forecast.config.base import NAME_PATTERN, RARE, Config, Section
from roi_forecast.config.data import DataConfig, FallbackConfig, FeatureConfig
from roi_forecast.config.model import CandidateConfig, ModelConfig
from roi_forecast.config.presets import PresetConfig
from roi_forecast.config.serving import ForecastConfig, GateConfig
from roi_forecast.config.tuning import ResolvedSearch, TuningConfig
from roi_forecast.errors import ConfigError, UniverseError
from roi_forecast.price_sources import LIVE_SOURCES, PRICE_SOURCES
from roi_forecast.quoting import listed, quoted
from roi_forecast.refusal import explain
from roi_forecast.universe import load_universe

_MAX_MODEL_NAME = 63
"""Characters of a model name; see `NAME_PATTERN`."""


class SharedConfig(ModelConfig, FeatureConfig, DataConfig, PresetConfig):
    """The parameters that every kind of run has, and the checks across them."""

    @field_validator("symbols", "context_symbols")
    @classmethod
    def _symbols_are_known_and_differ(
        cls, symbols: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        if symbols is None:
            return None
        duplicates = sorted(symbol for symbol, count in Counter(symbols).items() if count > 1)
        if duplicates:
            raise ValueError(f"list each symbol once; duplicates: {listed(duplicates)}")
        try:
            load_universe().select(symbols)
        except UniverseError as error:
            raise ValueError(str(error)) from error
        return symbols

    @model_validator(mode="after")
    def _parameters_fit_together(self) -> Self:
        if self.source == "csv" and not self.csv_path:
            raise ValueError("csv_path: received nothing; source csv needs a file or folder")
        name = Path(self.csv_path or "prices").name
        if not name.strip(". ") or set(name) & set("\n\r\t"):
            raise ValueError(
                f"csv_path: received {quoted(self.csv_path)}; expected a path that ends with the "
                "name of a file or folder, which becomes the key of its prices"
            )
        if self.source != "csv" and self.csv_path:
            raise ValueError(
                f"csv_path: received {quoted(self.csv_path)} with source {self.source!r}; "
                "leave it out or set source to csv"
            )
        if self.smoothing > self.seq_len:
            raise ValueError(
                f"smoothing: received {self.smoothing}; it must not exceed seq_len {self.seq_len}"
            )
        if self.start_date and self.as_of_date and self.start_date >= self.as_of_date:
            raise ValueError(
                f"start_date: received {self.start_date}; it must be before the as_of_date "
                f"{self.as_of_date}"
            )
        unknown = sorted(set(self.loss_asset_weights or ()) - set(self.symbols))
        if unknown and self.symbols:
            raise ValueError(
                f"loss_asset_weights: received weights for {listed(unknown)}, which are not among "
                "the symbols"
            )
        return self

    @property
    def resolved_model_name(self) -> str:
        """The model name, or the default for the source; each file has one of its own."""
        if self.model_name is not None:
            return self.model_name
        if self.source == "csv":
            name = re.sub(r"[^a-z0-9.-]+", "_", self._file_name.lower()).strip("_.-")
            return f"csv_{name}"[:_MAX_MODEL_NAME].rstrip("_")
        return "reference" if self.source == "yahoo" else self.source

    @property
    def source_key(self) -> str:
        """The key of the source in the database: its name, or `csv:<file name>`."""
        if self.source != "csv":
            return self.source
        return f"csv:{self._file_name}"

    @property
    def _file_name(self) -> str:
        """The name of the file or folder without endings."""
        endings = r"(?i)(\.(csv|tsv|txt|tab))?(\.(gz|zip|xz|bz2|parquet|pq))?\Z"
        return re.sub(endings, "", Path(str(self.csv_path)).name)


class RunConfig(ForecastConfig, GateConfig, CandidateConfig, FallbackConfig, SharedConfig):
    """All parameters of one daily run."""

    tuned_study: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description="Study of tune_roi_forecast whose best parameters the run uses; a parameter "
        "that is given wins over it. Empty: none.",
        json_schema_extra={"section": "Training"},
    )
    tensorboard: bool = Field(
        default=True,
        description="Whether training writes logs for TensorBoard, which takes some of its time.",
        json_schema_extra=RARE,
    )

    @model_validator(mode="after")
    def _fallback_source_can_stand_in(self) -> Self:
        if self.fallback_source is None:
            return self
        if not PRICE_SOURCES[self.source].live:
            raise ValueError(
                f"fallback_source: received {self.fallback_source!r} with source "
                f"{self.source!r}; only {' and '.join(LIVE_SOURCES)} can be replaced: leave it out"
            )
        if self.fallback_source == self.source:
            raise ValueError(
                f"fallback_source: received {self.fallback_source!r}, which is the source itself; "
                "name another source or leave it out"
            )
        name = self._fallback_model_name
        if not re.fullmatch(NAME_PATTERN, name):
            raise ValueError(
                f"model_name: received {self.resolved_model_name!r}, which is too long with "
                f"fallback_source {self.fallback_source!r}: the run's name would be {name!r} "
                f"({len(name)} characters, at most 63 are allowed)"
            )
        return self

    @property
    def _fallback_model_name(self) -> str:
        return f"{self.resolved_model_name}_{self.fallback_source}"

    def with_fallback_source(self) -> RunConfig:
        """Return the parameters with the fallback source as source, under a model name of its own.

        Prices of two sources differ, so that one model must not see both.
        """
        changed = {
            "source": self.fallback_source,
            "model_name": self._fallback_model_name,
            "fallback_source": None,
        }
        return self.model_copy(update=changed)


class BacktestRunConfig(BacktestConfig, SharedConfig):
    """All parameters of one backtest."""

    def as_daily(self) -> RunConfig:
        """Return the parameters of a daily run on the same prices, with defaults for its own."""
        return RunConfig.model_validate(self.model_dump(include=set(SharedConfig.model_fields)))

    def walk(self) -> BacktestConfig:
        """Return the parameters that only a backtest has."""
        names = set(BacktestConfig.model_fields)
        return BacktestConfig.model_validate(self.model_dump(include=names))


class TuningRunConfig(TuningConfig, SharedConfig):
    """All parameters of one search for better hyperparameters."""

    @model_validator(mode="after")
    def _windows_hold_the_smoothing(self) -> Self:
        if "seq_len" in self.tuned and min(self.seq_len_choices) < self.smoothing:
            raise ValueError(
                f"seq_len_choices: received {min(self.seq_len_choices)}; it must not be below "
                f"smoothing {self.smoothing}"
            )
        return self

    def as_daily(self) -> RunConfig:
        """Return the parameters of a daily run on the same prices, with the longest window."""
        values = self.model_dump(include=set(SharedConfig.model_fields))
        if "seq_len" in self.tuned:
            values["seq_len"] = max(self.seq_len_choices)
        return RunConfig.model_validate(values)

    def search(self) -> ResolvedSearch:
        """Return the parameters that only a search has, and the window length given."""
        values = self.model_dump(include=set(TuningConfig.model_fields))
        return ResolvedSearch.model_validate({**values, "own_seq_len": self.seq_len})


Kind = TypeVar("Kind", bound=Config)


def asked_model_name(values: Mapping[str, Any]) -> str | None:
    """Return the model name that parameters ask for, even if others of them are wrong.

    None if the name itself, or the source that it follows from, is wrong.
    """
    names = {name: values[name] for name in ("model_name", "source", "csv_path") if name in values}
    try:
        return SharedConfig.model_validate(names).resolved_model_name
    except ValidationError:
        return None


def parse_run_config(values: Mapping[str, Any]) -> RunConfig:
    """Validate the parameters of a daily run; see `parse_config`."""
    return parse_config(RunConfig, values)


def parse_config(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Validate the parameters of any kind of run as a person gave them.

    Raises:
        ConfigError: Names each wrong parameter, the value received and the values allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        schema = kind.model_json_schema()["properties"]
        raise ConfigError(explain(error, schema)) from error


def parameter_schemas(kind: type[Config] = RunConfig) -> dict[str, dict[str, Any]]:
    """Return a flat JSON schema with description, default and section for every parameter.

    The trigger form and Airflow's own validation are built from it, so they refuse the same values
    as the run itself. Sections follow each other in the order of `Section`.

    Args:
        kind: The kind of run.
    """
    as_json = TypeAdapter(Any).dump_python
    defaults = {
        name: as_json(field.get_default(call_default_factory=True), mode="json")
        for name, field in kind.model_fields.items()
    }
    schemas = {}
    for name, schema in kind.model_json_schema()["properties"].items():
        options = schema.pop("anyOf", None)
        if options is not None:
            value, _ = sorted(options, key=lambda option: option["type"] == "null")
            if "enum" in value:
                value = {**value, "enum": [*value["enum"], None]}
            schema = {**value, **schema, "type": ["null", value["type"]]}
        if "prefixItems" in schema:
            schema["items"] = schema.pop("prefixItems")[0]
        if defaults[name] == []:
            # Airflow's form does not let people leave anything else empty.
            schema["type"] = ["null", schema["type"]]
        section = schema.get("section", _declaring_class(kind, name).form_section)
        schemas[name] = {**schema, "default": defaults[name], "section": section}
    order = get_args(Section)
    return dict(sorted(schemas.items(), key=lambda item: order.index(item[1]["section"])))


def _declaring_class(kind: type[Config], name: str) -> type[Config]:
    parts = [part for part in kind.__mro__ if issubclass(part, Config)]
    return next(part for part in reversed(parts) if name in part.model_fields)
