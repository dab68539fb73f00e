"""The parameters of one training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roi_forecast.config.loss import LossConfig


class TrainingConfig(LossConfig):
    """How the network's weights are fitted, and when fitting ends."""

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
    improvement_standard_errors: float = Field(
        1.0,
        ge=0,
        le=10,
        description="The best epoch is kept where it beats the untrained network on the validation "
        "rows by this many standard errors, else the untrained one, which for hybrid_ar is ridge "
        "regression. 0: the best epoch in any case.",
    )
    plateau_patience: int = Field(
        5,
        ge=1,
        le=1000,
        description="Epochs without a better validation loss before the learning rate is halved.",
    )
    noise_share: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Deviation of the Gaussian noise on training windows, as a share of the "
        "asset's range in the training rows; 0.01 is a usual value.",
    )
    time_shift_sessions: int = Field(
        0,
        ge=0,
        le=20,
        description="Each training window ends up to this many sessions earlier than its target "
        "allows, drawn anew for every epoch.",
    )
    outlier_limit: float | None = Field(
        15.0,
        gt=1,
        le=1000,
        description="A scaled training value this many robust deviations from its asset's median "
        "is an outlier. Empty: no check.",
    )
    outlier_action: Literal["warn", "refuse"] = Field(
        "warn", description="Whether outliers are only logged, or end the run before training."
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32",
        description="Number format of the layers while training; the mixed ones need a GPU that "
        "has them.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Seed of weights, dropout, shuffling and augmentation; members of an ensemble "
        "take it and the numbers after it.",
    )
