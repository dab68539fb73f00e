"""The parameters that say what a candidate starts from and how many networks it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roi_forecast.config.base import Config


class CandidateConfig(Config):
    """Single network or ensemble, from nothing or from the champion."""

    ensemble_size: int = Field(
        1, ge=1, le=20, description="Networks of different seeds whose forecasts are averaged."
    )
    training_mode: Literal["scratch", "fine_tune", "if_due"] = Field(
        "scratch",
        description="scratch: train from nothing. fine_tune: go on from the champion. if_due: from "
        "nothing where that is due or the champion does not fit, else go on from the champion.",
    )
    retrain_every_sessions: int = Field(
        21,
        ge=1,
        le=5000,
        description="With training_mode if_due: sessions after which training from nothing is due.",
    )
    trainable_layers: int = Field(
        2,
        ge=1,
        le=20,
        description="When going on from the champion: how many of the last layers that have "
        "weights are trained; the others are frozen.",
    )
    fine_tune_epochs: int = Field(
        20, ge=1, le=5000, description="When going on from the champion: most epochs."
    )
