"""The parameters of the gate."""

from __future__ import annotations

from pydantic import Field

from roi_forecast.config.base import Config


class GateConfig(Config):
    """What a candidate has to reach to become champion."""

    gate_noise_limit_tolerance: float = Field(
        0.05, ge=0, le=1, description="Test R2 may lie this far below the noise limit."
    )
    gate_champion_tolerance: float = Field(
        0.01,
        ge=0,
        le=1,
        description="The upper 95 % bound of how far the R2 lies below the champion's, on the "
        "sessions and assets they share, must stay below this.",
    )
    gate_asset_tolerance: float = Field(
        0.1, ge=0, le=2, description="No shared asset's R2 may lie this far below the champion's."
    )
    gate_min_sessions: int = Field(
        60,
        ge=20,
        le=5000,
        description="Sessions on which neither candidate nor champion was fitted that a comparison "
        "needs.",
    )
    min_sessions_between_promotions: int = Field(
        5,
        ge=0,
        le=1000,
        description="Sessions from the end of the champion's data before another may follow.",
    )
    gate_targets_enforced: bool = Field(
        default=False, description="Whether the three targets below decide, or are only shown."
    )
    gate_mae_target: float = Field(0.05, gt=0, description="Target for the test MAE, scaled.")
    gate_rmse_target: float = Field(0.10, gt=0, description="Target for the test RMSE, scaled.")
    gate_r2_target: float = Field(0.70, le=1, description="Target for the test R2, scaled.")
    gate_override_reason: str | None = Field(
        None,
        min_length=10,
        max_length=500,
        description="Promotes although rules fail, and is stored with the decision. Empty: no "
        "override.",
    )
