"""The parameters of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from roi_forecast.config.base import Config

LstmUnits = Annotated[int, Field(ge=2, le=1024, multiple_of=2)]


class NetworkConfig(Config):
    """The network's layers, their sizes and what holds them back from overfitting."""

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
    batch_normalization: bool = Field(
        default=False,
        description="Whether a batch normalisation stands between the average over time and the "
        "dense layer.",
    )
    kernel_l2: float = Field(
        0.0,
        ge=0,
        le=1,
        description="L2 penalty of the kernels of the LSTM, attention and dense layers, added to "
        "the training loss.",
    )
    ridge_penalty: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="Penalty of the ridge regression that the highway starts from "
        "and that stands beside the model as a baseline.",
    )
