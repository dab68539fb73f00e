"""The parameters of the registry's own DAGs: rollback and retention."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from roi_forecast.config.base import NAME_PATTERN, Config, Section


class RollbackConfig(Config):
    """Which version serves again."""

    form_section: ClassVar[Section] = "Rollback"

    model_name: str = Field(
        "reference",
        pattern=NAME_PATTERN,
        description="Model name whose champion is replaced.",
    )
    version_id: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Version that serves again, one of those in roi.champion_history. Empty: the "
        "one that served before the current champion.",
    )
    reason: str | None = Field(
        None,
        min_length=3,
        max_length=500,
        description="Reason that is stored with the change. Empty: none.",
    )


class RetentionConfig(Config):
    """How much the registry keeps of each model name."""

    form_section: ClassVar[Section] = "Retention"

    keep_versions: int = Field(
        10,
        ge=2,
        le=1000,
        description="Newest versions that served whose files are kept, the champion and the one "
        "before it in any case.",
    )
    keep_candidates: int = Field(
        5, ge=0, le=1000, description="Newest candidates whose folders are kept."
    )
    keep_backtests: int = Field(
        10,
        ge=1,
        le=1000,
        description="Newest backtests, across all model names, whose trained networks are kept.",
    )
