"""The parameters by which a serving champion is watched."""

from __future__ import annotations

from pydantic import Field

from roi_forecast.config.base import Config


class MonitoringConfig(Config):
    """When live forecasts count as below the limit, and what counts as drift."""

    live_window_sessions: int = Field(
        60,
        ge=20,
        le=5000,
        description="Newest target sessions on which the champion is judged; at least 6 times the "
        "horizon.",
    )
    live_min_sessions: int = Field(
        30,
        ge=20,
        le=5000,
        description="Target sessions with outcomes that a judgement needs; fewer are too few.",
    )
    live_coverage_tolerance: float = Field(
        0.05,
        ge=0,
        le=0.5,
        description="The 80 and 95 % intervals may hold this share less than they say before the "
        "champion counts as below its limit.",
    )
    live_error_tolerance: float = Field(
        0.02,
        ge=0,
        le=1,
        description="R2 against the zero forecast may lie this far below 0 before the champion "
        "counts as below its limit.",
    )
    drift_window_sessions: int = Field(
        60, ge=20, le=1000, description="Newest sessions that are held against the training rows."
    )
    drift_percentile: float = Field(
        0.99,
        gt=0.5,
        le=1,
        description="Share of earlier windows of the training rows that a drifting asset's newest "
        "window has to exceed.",
    )
