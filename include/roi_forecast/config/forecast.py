"""The parameters of the forecasts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from roi_forecast.config.base import Config

MAX_HORIZON = 30
"""Reference sessions that the farthest forecast lies ahead."""

MultiStep = Literal["direct", "recursive"]

Horizon = Annotated[int, Field(ge=1, le=MAX_HORIZON)]


class ForecastConfig(Config):
    """How far ahead a run forecasts, and how it gets there."""

    horizons: tuple[Horizon, ...] = Field(
        (1, 5, 20),
        min_length=1,
        max_length=MAX_HORIZON,
        description="Sessions ahead that are forecast, each once; 1, the next session, is always "
        "among them.",
    )
    multi_step: MultiStep = Field(
        "direct",
        description="Forecasts beyond the next session. direct: a ridge regression for each "
        "horizon. recursive: the network's own forecast is fed back to it, step by step.",
    )

    @field_validator("horizons")
    @classmethod
    def _horizons_differ_and_begin_with_the_next_session(
        cls, horizons: tuple[int, ...]
    ) -> tuple[int, ...]:
        doubled = sorted({horizon for horizon in horizons if horizons.count(horizon) > 1})
        if doubled:
            raise ValueError(f"each horizon once; doubled: {', '.join(map(str, doubled))}")
        return tuple(sorted({1, *horizons}))
