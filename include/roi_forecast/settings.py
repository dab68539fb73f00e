"""Settings of this installation, read from the environment."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from roi_forecast.data_path import DataPath, data_directory_of
from roi_forecast.errors import PreflightError
from roi_forecast.local_cache import cache_directory
from roi_forecast.price_sources import LIVE_SOURCES
from roi_forecast.quoting import quoted

if TYPE_CHECKING:
    from roi_forecast.universe import Publish

DATABASE_URL_VARIABLE = "ROI_DATABASE_URL"
READER_DATABASE_URL_VARIABLE = "ROI_READER_DATABASE_URL"
DATA_DIRECTORY_VARIABLE = "ROI_DATA_DIRECTORY"
METADATA_URL_VARIABLE = "ROI_AIRFLOW_METADATA_URL"
DEADLINE_VARIABLE = "ROI_DEADLINE_MINUTES"
NO_DEADLINE = "off"
PUBLISH_VARIABLE = "ROI_PUBLISH"
CSV_DIRECTORY_VARIABLE = "ROI_CSV_DIRECTORY"
CSV_FILE_MIB_VARIABLE = "ROI_CSV_FILE_MIB"
CODE_REVISION_VARIABLE = "ROI_CODE_REVISION"

DEFAULT_CSV_FILE_MIB = 2048
"""Twice the size of the bars of 5,000 assets over ten years as plain text."""

DEFAULT_PUBLISH: Publish = "after_close"
"""As the run parameter `publish`; ROI_PUBLISH replaces it for all runs that do not give one."""

PRICES_POOL = "prices"
TRAINING_POOL = "training"
POOLS = {PRICES_POOL: 8, TRAINING_POOL: 1}
"""Slots of the Airflow pools: the number of extractions and trainings that run at once."""


@dataclass(frozen=True)
class Settings:
    """Folders and addresses of one installation.

    Attributes:
        database_url: SQLAlchemy URL of the market database, driver `postgresql+psycopg`.
        data_directory: Folder or place in an object store that all hosts share; holds `datasets/`,
            `models/`, `backtests/` and `tuning/`.
        metadata_url: SQLAlchemy URL of Airflow's metadata, to check its pools; None: no check.
        csv_directory: Folder that every csv_path is relative to and must lie in; None: anywhere.
        csv_file_mib: Maximum size in MiB of one CSV file, unpacked.
        reader_database_url: SQLAlchemy URL for pages and API, whose user is a member of the role
            `roi_reader`; None: `database_url` with that role set.
        publish: When scheduled runs publish, and others that do not say; see the run parameter.
        source_urls: Address to query in place of a live source's own, by name of the source.
        source_keys: Key that a live source asks for, by name of the source.
    """

    database_url: str
    data_directory: DataPath
    metadata_url: str | None = None
    reader_database_url: str | None = None
    csv_directory: Path | None = None
    csv_file_mib: int = DEFAULT_CSV_FILE_MIB
    publish: Publish = DEFAULT_PUBLISH
    source_urls: Mapping[str, str] = field(default_factory=dict)
    source_keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def datasets_directory(self) -> DataPath:
        """Folder of the content-addressed datasets."""
        return self.data_directory / "datasets"

    @property
    def models_directory(self) -> DataPath:
        """Folder of the model registry."""
        return self.data_directory / "models"

    @property
    def tuning_directory(self) -> DataPath:
        """Folder of the unfinished trainings of trials."""
        return self.data_directory / "tuning"

    @property
    def backtests_directory(self) -> DataPath:
        """Folder of the backtests' trainings and plots."""
        return self.data_directory / "backtests"

    @property
    def cache_directory(self) -> Path:
        """Local folder of caches, which may be deleted at any time."""
        if isinstance(self.data_directory, Path):
            # SQLite's files are not for several hosts.
            return self.data_directory / "cache" / socket.gethostname()
        return cache_directory()

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the settings from the environment.

        Raises:
            PreflightError: A required variable is not set, or a number is invalid.
        """
        return replace(
            cls.of_prices(),
            database_url=_required(DATABASE_URL_VARIABLE),
            data_directory=data_directory_of(
                DATA_DIRECTORY_VARIABLE, _required(DATA_DIRECTORY_VARIABLE)
            ),
            metadata_url=os.environ.get(METADATA_URL_VARIABLE) or None,
            reader_database_url=os.environ.get(READER_DATABASE_URL_VARIABLE) or None,
        )

    @classmethod
    def of_prices(cls) -> Settings:
        """Read from the environment only what the price sources need.

        Raises:
            PreflightError: A number is invalid.
        """
        return cls(
            database_url="",
            data_directory=Path(),
            csv_directory=Path(folder)
            if (folder := os.environ.get(CSV_DIRECTORY_VARIABLE))
            else None,
            csv_file_mib=_positive_number(CSV_FILE_MIB_VARIABLE, DEFAULT_CSV_FILE_MIB),
            publish=usual_publish(),
            source_urls=_by_source(url_variable),
            source_keys=_by_source(key_variable),
        )


def url_variable(source: str) -> str:
    """Return the variable with the address to query in place of a live source's own."""
    return f"ROI_{source.upper()}_URL"


def key_variable(source: str) -> str:
    """Return the variable with the key that a live source asks for."""
    return f"ROI_{source.upper()}_KEY"


def _by_source(variable_of: Callable[[str], str]) -> dict[str, str]:
    given = {source: os.environ.get(variable_of(source), "").strip() for source in LIVE_SOURCES}
    return {source: value for source, value in given.items() if value}


def usual_publish(environment: Mapping[str, str] = os.environ) -> Publish:
    """Return when runs of this installation publish that do not say so themselves.

    Raises:
        PreflightError: The environment names no such moment.
    """
    # Reading the other settings must not load pydantic.
    from roi_forecast.universe import Publish

    value = environment.get(PUBLISH_VARIABLE) or DEFAULT_PUBLISH
    for known in get_args(Publish):
        if value == known:
            return cast("Publish", known)
    allowed = " or ".join(map(repr, get_args(Publish)))
    raise PreflightError(
        f"the environment variable {PUBLISH_VARIABLE} is {quoted(value)}; expected {allowed}"
    )


def _required(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise PreflightError(
            f"the environment variable {variable} is not set; `make run` and `make up` set it, "
            "other installations must set it themselves"
        )
    return value


def _positive_number(variable: str, default: int) -> int:
    value = os.environ.get(variable) or str(default)
    if not re.fullmatch("[1-9][0-9]{0,8}", value):
        raise PreflightError(
            f"the environment variable {variable} is {quoted(value)}; expected a positive number"
        )
    return int(value)
