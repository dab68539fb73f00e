"""The record of a model version in the database, as every later stage reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, or_, select

from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import model_versions, predictions, promotions
from roi_forecast.errors import DamagedVersionError, RegistryError
from roi_forecast.files.artifacts import confined
from roi_forecast.files.verified import VerifiedDirectory, open_verified

VERSIONS_DIRECTORY = "versions"
"""Folder of the published versions within that of their model name."""

_PUBLISHING = (promotions, predictions)


@dataclass(frozen=True)
class ModelVersion:
    """One trained model. Its files lie at `path` below the registry's folder.

    Those of a version that was neither serving nor recent may have been deleted; the moment is
    `files_deleted_at`, and the record stays.
    """

    version_id: str
    model_name: str
    state: str
    run_id: str
    dataset_id: str
    source: str
    symbols: tuple[str, ...]
    first_date: date
    last_date: date
    hyperparameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    path: str
    checksum: str
    files_deleted_at: datetime | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether it was trained on simulated prices."""
        return self.source == "simulated"

    @property
    def is_published(self) -> bool:
        """Whether its files were copied to where nothing is written any more."""
        return PurePosixPath(self.path).parent.name == VERSIONS_DIRECTORY

    def directory(self, models_directory: DataPath) -> DataPath:
        """Return where its files lie.

        Raises:
            RegistryError: The stored path leads out of the registry.
        """
        return confined(models_directory, self.path, RegistryError)


def open_version(version: ModelVersion, models_directory: DataPath) -> VerifiedDirectory:
    """Open a version's files after checking every one of them against what was registered.

    Raises:
        DamagedVersionError: Files are missing, or are not those that were registered.
        RegistryError: Retention deleted them, their manifest is of another format, their path leads
            out of the registry, or a published version's folder holds files that are not its own.
        OSError: A file is there but cannot be read.
    """
    if version.files_deleted_at is not None:
        raise RegistryError(
            f"version {version.version_id} has no files any more: retention deleted them on "
            f"{version.files_deleted_at:%Y-%m-%d}; choose a version that roi.champion_history "
            "shows to have served later"
        )
    # As the manifest is the one that was registered, only another revision of the code could not
    # read it: that is no damage, nor are files that nothing opens.
    return open_verified(
        version.directory(models_directory),
        RegistryError,
        checksum=version.checksum,
        damage=DamagedVersionError,
        sealed=version.is_published,
    )


def find_version(connection: Connection, version_id: str) -> ModelVersion:
    """Return a version by its id.

    Raises:
        RegistryError: There is none of this id.
    """
    version = _find(connection, model_versions.c.version_id == version_id)
    if version is None:
        raise RegistryError(f"no model version {version_id!r}; see the view roi.versions")
    return version


def find_champion(connection: Connection, model_name: str) -> ModelVersion | None:
    """Return the version that serves under a model name, or None."""
    is_champion = model_versions.c.state == "champion"
    return _find(connection, (model_versions.c.model_name == model_name) & is_champion)


def find_trained(connection: Connection, model_name: str, fingerprint: str) -> ModelVersion | None:
    """Return the newest version trained under a name from the same inputs, or None.

    Args:
        connection: Market database.
        model_name: The name.
        fingerprint: Hash of dataset, hyperparameters and seed.
    """
    same = model_versions.c.fingerprint == fingerprint
    return _find(connection, (model_versions.c.model_name == model_name) & same)


def has_served_or_forecast(connection: Connection, version_id: str) -> bool:
    """Tell whether a version ever served or forecast: its files and figures are then final."""
    published = [exists().where(table.c.version_id == version_id) for table in _PUBLISHING]
    return bool(connection.scalar(select(or_(*published))))


def _find(connection: Connection, condition: ColumnElement[bool]) -> ModelVersion | None:
    table = model_versions.c
    row = connection.execute(
        select(
            table.version_id,
            table.model_name,
            table.state,
            table.run_id,
            table.dataset_id,
            table.source,
            table.symbols,
            table.first_date,
            table.last_date,
            table.hyperparameters,
            table.metrics,
            table.path,
            table.checksum,
            table.files_deleted_at,
        )
        .where(condition)
        .order_by(table.created_at.desc(), table.version_id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    return ModelVersion(**{**values, "symbols": tuple(values["symbols"])})
