"""The typed run configuration: every parameter, its unit, its range and its default.

A stage takes the part it needs (`DataConfig`, `FeatureConfig`, `ModelConfig`, `GateConfig`); a
whole run is a `RunConfig`, which is all of them. The DAG's parameter form is built from the same
fields, so a bound or a default exists once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from roi_forecast.errors import ConfigError, UniverseError
from roi_forecast.refusal import explain
from roi_forecast.universe import load_universe

SourceKind = Literal["yahoo", "csv", "simulated"]

_MODEL_NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"

LstmUnits = Annotated[int, Field(ge=2, le=1024, multiple_of=2)]


class _Config(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class DataConfig(_Config):
    """Which prices a run takes, and from where."""

    model_name: str | None = Field(
        None,
        pattern=_MODEL_NAME_PATTERN,
        description="Name under which candidates compete and one champion serves. Empty: reference "
        "for yahoo, else the kind of the source.",
    )
    source: SourceKind = Field("yahoo", description="Where prices come from.")
    csv_path: str | None = Field(
        None,
        description="With source csv: a file (plain or gzip) or a folder of files, as this "
        "machine's workers see it.",
    )
    symbols: tuple[str, ...] = Field(
        default_factory=lambda: tuple(asset.symbol for asset in load_universe().assets),
        min_length=1,
        max_length=5000,
        description="Yahoo symbols of the assets; the suffix names the exchange.",
    )
    start_date: date | None = Field(
        None,
        description="First date of the prices used. Empty: lookback_years before the as-of date.",
    )
    lookback_years: float = Field(
        2.5, ge=0.5, le=30, description="Years of prices used where start_date is empty."
    )
    as_of_date: date | None = Field(
        None,
        description="Last session the run may know. Empty: the last session whose bars are final.",
    )
    quorum: float = Field(
        0.8, gt=0, le=1, description="Share of the assets that must have usable prices."
    )


class FeatureConfig(_Config):
    """How prices become scaled windows."""

    seq_len: int = Field(60, ge=5, le=500, description="Sessions in one input window.")
    smoothing: int = Field(
        5, ge=1, le=60, description="Sessions in the moving average of the log ROI (the target)."
    )
    scaler: Literal["minmax", "standard"] = Field(
        "minmax",
        description="Scaling per asset, fitted on training rows: to [0, 1], or to mean 0 "
        "and deviation 1.",
    )
    test_share: float = Field(
        0.2, ge=0.05, le=0.5, description="Share of all windows, the last ones, kept for the test."
    )
    validation_share: float = Field(
        0.15,
        ge=0.05,
        le=0.5,
        description="Share of the remaining windows, the last ones, kept for validation.",
    )
    max_lost_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="An asset that starts so late that it would cost more than this share of the "
        "rows is left out.",
    )


class ModelConfig(_Config):
    """The network and how it is trained."""

    architecture: Literal["hybrid_ar", "hybrid"] = Field(
        "hybrid_ar",
        description="hybrid: the reference LSTM-attention network. hybrid_ar: the same beside an "
        "autoregressive highway that starts at ridge regression.",
    )
    lstm_units: tuple[LstmUnits, LstmUnits] = Field(
        (128, 64),
        description="Units of the two bidirectional LSTM layers, both directions together: 128 "
        "means 64 + 64.",
    )
    attention_heads: int = Field(4, ge=1, le=32, description="Heads of the attention layer.")
    attention_key_dim: int = Field(64, ge=1, le=512, description="Size of each head's key.")
    dense_units: int = Field(128, ge=1, le=4096, description="Units of the dense layer.")
    lstm_dropout: float = Field(0.2, ge=0, lt=1, description="Dropout of both LSTM layers.")
    dense_dropout: float = Field(0.3, ge=0, lt=1, description="Dropout after the dense layer.")
    epochs: int = Field(120, ge=1, le=5000, description="Most epochs; early stopping ends sooner.")
    batch_size: int = Field(32, ge=1, le=4096, description="Windows in one training step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Initial learning rate of AdamW.")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Decoupled weight decay of AdamW.")
    gradient_clip_norm: float | None = Field(
        None, gt=0, description="Each gradient is clipped to this norm. Empty: no clipping."
    )
    early_stopping_patience: int = Field(
        10,
        ge=1,
        le=1000,
        description="Epochs without a better validation loss before training ends.",
    )
    plateau_patience: int = Field(
        5,
        ge=1,
        le=1000,
        description="Epochs without a better validation loss before the learning rate is halved.",
    )
    ridge_penalty: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="Penalty of the ridge regression that the highway starts from "
        "and that stands beside the model as a baseline.",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of weights, dropout and shuffling.")


class GateConfig(_Config):
    """What a candidate has to reach to become champion."""

    gate_noise_limit_tolerance: float = Field(
        0.05, ge=0, le=1, description="Test R2 may lie this far below the noise limit."
    )
    gate_champion_tolerance: float = Field(
        0.01,
        ge=0,
        le=1,
        description="The upper 95 % bound of how far the R2 lies below the champion's, on the "
        "sessions and assets they share, must stay below this.",
    )
    gate_asset_tolerance: float = Field(
        0.1, ge=0, le=2, description="No shared asset's R2 may lie this far below the champion's."
    )
    gate_min_sessions: int = Field(
        60,
        ge=20,
        le=5000,
        description="Sessions on which neither candidate nor champion was fitted that a comparison "
        "needs.",
    )
    min_sessions_between_promotions: int = Field(
        5,
        ge=0,
        le=1000,
        description="Sessions from the end of the champion's data before another may follow.",
    )
    gate_targets_enforced: bool = Field(
        default=False, description="Whether the three targets below decide, or are only shown."
    )
    gate_mae_target: float = Field(0.05, gt=0, description="Target for the test MAE, scaled.")
    gate_rmse_target: float = Field(0.10, gt=0, description="Target for the test RMSE, scaled.")
    gate_r2_target: float = Field(0.70, le=1, description="Target for the test R2, scaled.")
    gate_override_reason: str | None = Field(
        None,
        min_length=10,
        max_length=500,
        description="Promotes although rules fail, and is stored with the decision. Empty: no "
        "override.",
    )


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
