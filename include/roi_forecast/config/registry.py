"""The parameters of the registry's own DAGs: rolling back and retention."""

from __future__ import annotations

from pydantic import Field

from roi_forecast.config.base import Config
from roi_forecast.config.data import MODEL_NAME_PATTERN


class RollbackConfig(Config):
    """Which version is to serve again."""

    model_name: str = Field(
        "reference",
        pattern=MODEL_NAME_PATTERN,
        description="Name whose champion is replaced.",
    )
    version_id: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Version that is to serve; roi.champion_history shows those that did. Empty: "
        "the one that served before the present champion.",
    )
    reason: str | None = Field(
        None, min_length=3, max_length=500, description="Why, as stored with the change."
    )


class RetentionConfig(Config):
    """How much the registry keeps of each model name."""

    keep_versions: int = Field(
        10,
        ge=2,
        le=1000,
        description="Newest versions that served whose files are kept; the champion and the one "
        "before it always are.",
    )
    keep_candidates: int = Field(
        5, ge=0, le=1000, description="Newest folders of candidates that are kept."
    )
    keep_backtests: int = Field(
        10,
        ge=1,
        le=1000,
        description="Newest backtests, of all model names, whose trained networks are kept.",
    )
