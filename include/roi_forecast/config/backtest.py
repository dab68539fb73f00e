"""The parameters of a walk-forward backtest."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from roi_forecast.config.base import Config, Day, Section

PredictorName = Literal["linear", "model"]


class BacktestConfig(Config):
    """The period of a backtest, how often it refits, and what forecasts."""

    form_section: ClassVar[Section] = "Backtest"

    first_target_date: Day | None = Field(
        None,
        description="First session to forecast. Empty: the first test session of a daily run on "
        "the same prices.",
    )
    predictors: tuple[PredictorName, ...] = Field(
        ("linear", "model"),
        min_length=1,
        max_length=2,
        description="Models to refit and score, next to zero, persistence and no skill.",
    )
    refit_every: int = Field(21, ge=1, le=1000, description="Sessions between two refits.")
    window_sessions: int | None = Field(
        None,
        ge=30,
        le=20_000,
        description="Newest rows that the network is fitted on (a rolling window). Empty: all rows "
        "before it (an expanding window).",
    )
    max_network_folds: int = Field(
        8,
        ge=1,
        le=1000,
        description="Maximum number of refits if the network is among the predictors; refits are "
        "spaced further apart if there would be more.",
    )

    @field_validator("predictors")
    @classmethod
    def _predictors_differ(cls, predictors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(predictors)) < len(predictors):
            raise ValueError("list each predictor once")
        return predictors
