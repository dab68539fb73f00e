"""The parameters of a walk-forward backtest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from roi_forecast.config.base import Config, Day

PredictorName = Literal["ridge", "network"]


class BacktestConfig(Config):
    """What a backtest walks through, how often it refits, and what forecasts."""

    first_target_date: Day | None = Field(
        None,
        description="First session that is forecast. Empty: where the test of a daily run on the "
        "same prices would begin.",
    )
    predictors: tuple[PredictorName, ...] = Field(
        ("ridge", "network"),
        min_length=1,
        max_length=2,
        description="What is refitted and forecasts; zero, persistence and the noise limit stand "
        "beside it always.",
    )
    window: Literal["expanding", "rolling"] = Field(
        "expanding",
        description="Rows that a refit sees: all before it, or the last window_sessions of them.",
    )
    window_sessions: int = Field(
        500, ge=30, le=20_000, description="Rows before a refit that a rolling window holds."
    )
    refit_every: int = Field(21, ge=1, le=1000, description="Sessions between two refits.")
    most_neural_folds: int = Field(
        8,
        ge=1,
        le=1000,
        description="Most refits where a network is among the predictors; where there would be "
        "more, refits lie further apart, for every predictor.",
    )

    @field_validator("predictors")
    @classmethod
    def _predictors_differ(cls, predictors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(predictors)) < len(predictors):
            raise ValueError("each predictor once")
        return predictors
