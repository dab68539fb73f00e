"""Presets: named sets of parameters, so that a person need not know them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from roi_forecast.config.base import Config

PresetName = Literal["reference", "quick", "small_memory", "best"]


@dataclass(frozen=True)
class Preset:
    """The defaults that a preset replaces.

    Attributes:
        meaning: Its purpose, in the words of the form.
        values: Parameters by name; all others keep their defaults.
    """

    meaning: str
    values: Mapping[str, Any]


PRESETS: Mapping[str, Preset] = {
    "reference": Preset("the defaults, trained until early stopping", {}),
    "quick": Preset(
        "a small network and few epochs, to see a run through",
        {
            "lstm_units": (16, 8),
            "attention_heads": 1,
            "attention_key_dim": 8,
            "dense_units": 16,
            "epochs": 5,
        },
    ),
    "small_memory": Preset(
        "smaller batches and shorter windows, if memory runs out",
        {"batch_size": 16, "seq_len": 30},
    ),
    "best": Preset(
        "five networks with different seeds, whose forecasts are averaged", {"ensemble_size": 5}
    ),
}
_MEANINGS = {name: f"{name}: {preset.meaning}" for name, preset in PRESETS.items()}


class PresetConfig(Config):
    """Where the defaults of all other parameters come from."""

    preset: PresetName = Field(
        "reference",
        description="Set of defaults; a parameter that is given wins over it. "
        + "; ".join(_MEANINGS.values())
        + ".",
        json_schema_extra={"values_display": {**_MEANINGS}},
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        preset = PRESETS.get(str(values.get("preset"))) if isinstance(values, dict) else None
        if preset is None:
            return values
        # A backtest lacks some of the parameters and takes only the others from the preset.
        known = {name: value for name, value in preset.values.items() if name in cls.model_fields}
        return {**known, **values}
