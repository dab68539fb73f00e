"""The parameters of a search for better hyperparameters."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, field_validator

from roi_forecast.config.base import NAME_PATTERN, Config, Section

TunedName = Literal[
    "learning_rate",
    "batch_size",
    "lstm_units",
    "attention_heads",
    "lstm_dropout",
    "dense_dropout",
    "weight_decay",
    "seq_len",
]


class TuningConfig(Config):
    """What is searched, and for how long.

    Smoothing is never searched: it changes the target, so scores could not be compared.
    """

    form_section: ClassVar[Section] = "Search"

    study: str = Field(
        "default",
        pattern=NAME_PATTERN,
        description="Name of the search; runs with the same name continue it, and a daily run uses "
        "its best parameters by tuned_study.",
    )
    trials: int = Field(
        20,
        ge=1,
        le=1000,
        description="Number of finished trials, including pruned ones, at which the study ends.",
    )
    tuned: tuple[TunedName, ...] = Field(
        get_args(TunedName),
        min_length=1,
        max_length=len(get_args(TunedName)),
        description="Parameters to search; all others keep the values of the run.",
    )
    lstm_units_choice: Literal["presets", "free"] = Field(
        "presets",
        description="Units of the LSTM layers to choose from. presets: 64/32, 128/64 and 256/128. "
        "free: any.",
        json_schema_extra={
            "values_display": {"presets": "64/32, 128/64 or 256/128", "free": "any"}
        },
    )
    seq_len_choices: tuple[Annotated[int, Field(ge=5, le=500)], ...] = Field(
        (30, 60, 90),
        min_length=1,
        max_length=10,
        description="Window lengths to choose from, in sessions; all are scored on the same rows.",
    )

    @field_validator("tuned", "seq_len_choices")
    @classmethod
    def _each_once(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError("list each value once")
        return values


class ResolvedSearch(TuningConfig):
    """A search whose run is resolved; the run itself takes the longest window, for the dataset."""

    own_seq_len: int = Field(ge=1, description="The window length that the person gave.")
