"""The parameters of the network, its training and the candidate made of trained networks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from roi_forecast.config.base import RARE, Config, Section

AssetWeight = Annotated[float, Field(gt=0, le=1000)]
LstmUnits = Annotated[int, Field(ge=2, le=1024, multiple_of=2)]


class NetworkConfig(Config):
    """The network's layers, their sizes and their regularization."""

    form_section: ClassVar[Section] = "Features and network"

    architecture: Literal["hybrid_linear", "hybrid"] = Field(
        "hybrid_linear",
        description="hybrid: the reference LSTM-attention network. hybrid_linear: the same "
        "added to the linear part.",
        json_schema_extra={
            "values_display": {
                "hybrid_linear": "LSTM-attention network added to the linear part",
                "hybrid": "LSTM-attention network alone (the reference)",
            }
        },
    )
    lstm_units: tuple[LstmUnits, LstmUnits] = Field(
        (128, 64),
        description="Units of the two bidirectional LSTM layers, both directions together: 128 "
        "means 64 + 64.",
    )
    attention_heads: int = Field(4, ge=1, le=32, description="Heads of the attention layer.")
    attention_key_dim: int = Field(
        64, ge=1, le=512, description="Size of the keys of each attention head."
    )
    dense_units: int = Field(128, ge=1, le=4096, description="Units of the dense layer.")
    lstm_dropout: float = Field(0.2, ge=0, lt=1, description="Dropout rate of both LSTM layers.")
    dense_dropout: float = Field(0.3, ge=0, lt=1, description="Dropout rate after the dense layer.")
    batch_normalization: bool = Field(
        default=False,
        description="Whether batch normalization precedes the dense layer.",
        json_schema_extra=RARE,
    )
    kernel_l2: float = Field(
        0.0,
        ge=0,
        le=1,
        description="L2 penalty on the kernels of the LSTM, attention and dense layers. 0: none.",
        json_schema_extra=RARE,
    )
    half_life: int = Field(
        250,
        ge=20,
        le=5000,
        description="Sessions after which a row counts half in the linear part of the forecast.",
        json_schema_extra=RARE,
    )


class LossConfig(Config):
    """What training minimizes; a target on which the asset had no bar never counts."""

    form_section: ClassVar[Section] = "Training"

    loss: Literal["mse", "mae", "huber", "weighted_mse", "pinball"] = Field(
        "mse",
        description="Error that training minimizes: squared, absolute, Huber, weighted squared or "
        "pinball.",
        json_schema_extra={
            "values_display": {
                "mse": "squared error",
                "mae": "absolute error",
                "huber": "Huber: squared up to huber_delta, then linear",
                "weighted_mse": "squared error, weighted by asset or age",
                "pinball": "pinball error of a quantile",
            }
        },
    )
    huber_delta: float = Field(
        0.1,
        gt=0,
        le=100,
        description="With loss huber: size of the scaled error above which errors count linearly.",
        json_schema_extra=RARE,
    )
    pinball_level: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="With loss pinball: the quantile that is forecast; 0.5 is the median.",
        json_schema_extra=RARE,
    )
    loss_asset_weights: dict[str, AssetWeight] | None = Field(
        None,
        description="With loss weighted_mse: weights by symbol, 1 for any other symbol. Empty: "
        "all assets weigh the same.",
        json_schema_extra=RARE,
    )
    loss_recency_half_life: int | None = Field(
        None,
        ge=5,
        le=5000,
        description="With loss weighted_mse: sessions after which a training target counts half. "
        "Empty: all targets weigh the same.",
        json_schema_extra=RARE,
    )

    @model_validator(mode="after")
    def _weights_belong_to_the_weighted_loss(self) -> Self:
        given = {
            name: getattr(self, name) for name in ("loss_asset_weights", "loss_recency_half_life")
        }
        if self.loss == "weighted_mse" and not any(given.values()):
            raise ValueError(
                "loss: received 'weighted_mse' without weights; give loss_asset_weights or "
                "loss_recency_half_life, or use loss mse"
            )
        for name, value in given.items():
            if value is not None and self.loss != "weighted_mse":
                raise ValueError(
                    f"{name}: received {value!r} with loss {self.loss!r}; leave it out or set loss "
                    "to weighted_mse"
                )
        return self


class TrainingConfig(LossConfig):
    """How the network's weights are fitted, and when fitting ends."""

    epochs: int = Field(
        120,
        ge=1,
        le=5000,
        description="Maximum number of epochs; early stopping usually ends training sooner.",
    )
    batch_size: int = Field(32, ge=1, le=4096, description="Windows in one training step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Initial learning rate of AdamW.")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Decoupled weight decay of AdamW.")
    early_stopping_patience: int = Field(
        10,
        ge=1,
        le=1000,
        description="Epochs without a better validation loss after which training ends.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Seed of weights, dropout, shuffling and augmentation; the networks of an "
        "ensemble use this number and those after it.",
    )
    plateau_patience: int = Field(
        5,
        ge=1,
        le=1000,
        description="Epochs without a better validation loss after which the learning rate is "
        "halved.",
        json_schema_extra=RARE,
    )
    gradient_clip_norm: float | None = Field(
        None,
        gt=0,
        description="Norm to which each gradient is clipped. Empty: no clipping.",
        json_schema_extra=RARE,
    )
    improvement_standard_errors: float = Field(
        1.0,
        ge=0,
        le=10,
        description="Standard errors by which the best epoch must beat the untrained network "
        "(the linear part for hybrid_linear) on validation rows to replace it. 0: the best epoch "
        "is always used.",
        json_schema_extra=RARE,
    )
    noise_share: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Deviation of the Gaussian noise added to training windows, as a share of each "
        "asset's range in the training rows; 0.01 is usual. 0: no noise.",
        json_schema_extra=RARE,
    )
    time_shift_sessions: int = Field(
        0,
        ge=0,
        le=20,
        description="Maximum number of sessions by which a training window ends early, drawn again "
        "in every epoch. 0: no shift.",
        json_schema_extra=RARE,
    )
    outlier_limit: float | None = Field(
        None,
        gt=1,
        le=1000,
        description="Scaled training values more robust deviations than this from their asset's "
        "median end the run. Empty: values beyond 15 are only logged.",
        json_schema_extra=RARE,
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32",
        description="Number format of the layers in training; the mixed formats need a GPU that "
        "supports them.",
        json_schema_extra=RARE,
    )


class ModelConfig(TrainingConfig, NetworkConfig):
    """The network and its training: together with a dataset, all that one training depends on."""


class CandidateConfig(Config):
    """How many networks a candidate has, and what their training starts from."""

    form_section: ClassVar[Section] = "Training"

    ensemble_size: int = Field(
        1,
        ge=1,
        le=20,
        description="Networks with different seeds whose forecasts are averaged.",
    )
    training_mode: Literal["scratch", "fine_tune", "if_due"] = Field(
        "scratch",
        description="scratch: train from scratch. fine_tune: continue from the champion, for at "
        "most 20 epochs. if_due: from scratch every 21 sessions or if the champion does not fit, "
        "otherwise continue from the champion.",
        json_schema_extra={
            "values_display": {
                "scratch": "from scratch",
                "fine_tune": "continue from the champion",
                "if_due": "from scratch if due, otherwise continue from the champion",
            }
        },
    )
    trainable_layers: int = Field(
        2,
        ge=1,
        le=20,
        description="When training continues from the champion: how many of the last layers with "
        "weights are trained; the others are frozen.",
        json_schema_extra=RARE,
    )
