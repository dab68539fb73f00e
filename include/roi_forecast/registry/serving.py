"""Opening the version that serves under a model name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from roi_forecast.artifacts import MANIFEST, checksum, read_manifest
from roi_forecast.errors import NoChampionError, RegistryError
from roi_forecast.model.versions import ModelVersion, find_champion
from roi_forecast.registry.champion_link import point_champion_link


@dataclass(frozen=True)
class ServingVersion:
    """The champion of a model name, its files checked."""

    version: ModelVersion
    directory: Path


def open_champion(engine: Engine, models_directory: Path, model_name: str) -> ServingVersion:
    """Return the champion after checking its files; a link that a crash left behind is repaired.

    Raises:
        NoChampionError: No version serves under the name.
        RegistryError: The champion's files are missing or damaged.
    """
    with engine.connect() as connection:
        version = find_champion(connection, model_name)
    if version is None:
        raise NoChampionError(
            f"no version serves under the model name {model_name!r}; "
            "the first candidate that passes the gate will"
        )
    directory = check_files(version, models_directory)
    point_champion_link(models_directory, model_name, version.path)
    return ServingVersion(version, directory)


def check_files(version: ModelVersion, models_directory: Path) -> Path:
    """Return where a version's files lie, after checking every one of them.

    Raises:
        RegistryError: Retention deleted them, or they are missing or damaged.
    """
    if version.files_deleted_at is not None:
        raise RegistryError(
            f"version {version.version_id} has no files any more: retention deleted them on "
            f"{version.files_deleted_at:%Y-%m-%d}; choose a version that roi.champion_history "
            "shows to have served later"
        )
    directory = version.directory(models_directory)
    read_manifest(directory, RegistryError)
    if checksum(directory / MANIFEST) != version.checksum:
        raise RegistryError(f"{directory / MANIFEST} is not the one that was registered")
    return directory
