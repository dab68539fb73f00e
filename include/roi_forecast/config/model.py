"""The parameters of the network and its training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from roi_forecast.config.base import Config

LstmUnits = Annotated[int, Field(ge=2, le=1024, multiple_of=2)]


class ModelConfig(Config):
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
