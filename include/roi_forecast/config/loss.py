"""The parameters of the training loss."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from roi_forecast.config.base import Config

AssetWeight = Annotated[float, Field(gt=0, le=1000)]


class LossConfig(Config):
    """What training minimises; a target on which the asset had no bar counts in none of them."""

    loss: Literal["mse", "mae", "huber", "weighted_mse", "pinball"] = Field(
        "mse",
        description="What training minimises: squared, absolute, Huber, weighted squared or "
        "pinball error.",
    )
    huber_delta: float = Field(
        0.1,
        gt=0,
        le=100,
        description="With loss huber: errors up to this size, scaled, count squared, larger ones "
        "linearly.",
    )
    pinball_level: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="With loss pinball: the quantile that is forecast; 0.5 is the median.",
    )
    loss_asset_weights: dict[str, AssetWeight] | None = Field(
        None,
        description="With loss weighted_mse: weight by symbol; an asset that is not named has "
        "weight 1. Empty: all alike.",
    )
    loss_recency_half_life: int | None = Field(
        None,
        ge=5,
        le=5000,
        description="With loss weighted_mse: a training target this many sessions older counts "
        "half. Empty: all alike.",
    )

    @model_validator(mode="after")
    def _weights_belong_to_the_weighted_loss(self) -> Self:
        given = {
            name: getattr(self, name) for name in ("loss_asset_weights", "loss_recency_half_life")
        }
        if self.loss == "weighted_mse" and not any(given.values()):
            raise ValueError(
                "loss: received 'weighted_mse' without weights; give loss_asset_weights or "
                "loss_recency_half_life, or take loss mse"
            )
        for name, value in given.items():
            if value is not None and self.loss != "weighted_mse":
                raise ValueError(
                    f"{name}: received {value!r} with loss {self.loss!r}; leave it out or set loss "
                    "to weighted_mse"
                )
        return self
