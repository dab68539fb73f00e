"""The parameters of the prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from roi_forecast.config.base import Config, Day
from roi_forecast.price_sources import PRICE_SOURCES
from roi_forecast.universe import load_universe

if TYPE_CHECKING:
    SourceKind = str
else:
    SourceKind = Literal[tuple(PRICE_SOURCES)]

MODEL_NAME_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"


class DataConfig(Config):
    """Which prices a run takes, and from where."""

    model_name: str | None = Field(
        None,
        pattern=MODEL_NAME_PATTERN,
        description="Name under which candidates compete and one champion serves. Empty: reference "
        "for yahoo, else the kind of the source.",
    )
    source: SourceKind = Field("yahoo", description="Where prices come from.")
    csv_path: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="With source csv: a file (plain or gzip) or a folder of files, as this "
        "machine's workers see it.",
    )
    symbols: tuple[str, ...] = Field(
        default_factory=lambda: tuple(asset.symbol for asset in load_universe().assets),
        min_length=1,
        max_length=5000,
        description="Yahoo symbols of the assets; the suffix names the exchange.",
    )
    start_date: Day | None = Field(
        None,
        description="First date of the prices used. Empty: lookback_years before the as-of date.",
    )
    lookback_years: float = Field(
        2.5, ge=0.5, le=30, description="Years of prices used where start_date is empty."
    )
    as_of_date: Day | None = Field(
        None,
        description="Last session the run may know. Empty: the last session whose bars are final.",
    )
    quorum: float = Field(
        0.8, gt=0, le=1, description="Share of the assets that must have usable prices."
    )
