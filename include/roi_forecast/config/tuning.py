"""The parameters of a search for better hyperparameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from roi_forecast.config.base import Config

STUDY_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"

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
    """What is searched, and for how long. Smoothing changes the target, so it is never searched."""

    study: str = Field(
        "default",
        pattern=STUDY_PATTERN,
        description="Name of the search; runs of one name share it and go on with it, and a daily "
        "run asks for its best set by tuned_study.",
    )
    trials: int = Field(
        20,
        ge=1,
        le=1000,
        description="Finished trials, pruned ones included, the study is to have.",
    )
    tuned: tuple[TunedName, ...] = Field(
        (
            "learning_rate",
            "batch_size",
            "lstm_units",
            "attention_heads",
            "lstm_dropout",
            "dense_dropout",
            "weight_decay",
            "seq_len",
        ),
        min_length=1,
        max_length=8,
        description="Parameters that are searched; all others are those of the run.",
    )
    lstm_units_choice: Literal["presets", "free"] = Field(
        "presets",
        description="Units of the LSTM layers to choose from: 64/32, 128/64 and 256/128, or any.",
    )
    seq_len_choices: tuple[Annotated[int, Field(ge=5, le=500)], ...] = Field(
        (30, 60, 90),
        min_length=1,
        max_length=10,
        description="Window lengths to choose from; all are scored on the same sessions.",
    )
    pruning: bool = Field(
        default=True,
        description="Whether a trial ends early where its validation loss lies behind the median "
        "of the trials before it.",
    )

    @field_validator("tuned", "seq_len_choices")
    @classmethod
    def _each_once(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError("each value once")
        return values


class ResolvedSearch(TuningConfig):
    """A search whose run was resolved; the run itself takes the longest window, for the dataset."""

    own_seq_len: int = Field(ge=1, description="The window length that was asked for.")
