"""The parameters of the features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from roi_forecast.config.base import Config


class FeatureConfig(Config):
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
