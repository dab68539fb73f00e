"""Opening the version that serves under a model name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from roi_forecast.artifacts import MANIFEST, check_listed_files, checksum, parse_manifest
from roi_forecast.errors import DamagedVersionError, NoChampionError, RegistryError
from roi_forecast.model.versions import ModelVersion, find_champion
from roi_forecast.registry.champion_link import point_champion_link


@dataclass(frozen=True)
class ServingVersion:
    """The version that forecasts, its files checked: mostly the champion of a model name."""

    version: ModelVersion
    directory: Path


def open_champion(engine: Engine, models_directory: Path, model_name: str) -> ServingVersion:
    """Return the champion after checking its files; a link that a crash left behind is repaired.

    Raises:
        NoChampionError: No version serves under the name.
        DamagedVersionError: Files of the champion are missing or damaged.
        RegistryError: Its manifest is of another format, or its path leads out of the registry.
        OSError: A file is there but cannot be read.
    """
    with engine.connect() as connection:
        champion = require_champion(connection, model_name)
    return open_serving(champion, models_directory)


def open_serving(champion: ModelVersion, models_directory: Path) -> ServingVersion:
    """Open a version that is known to serve: check its files and mend the link to it.

    Raises:
        DamagedVersionError: As `check_files`, like the other errors.
    """
    directory = check_files(champion, models_directory)
    point_champion_link(models_directory, champion.model_name, champion.path)
    return ServingVersion(champion, directory)


def require_champion(connection: Connection, model_name: str) -> ModelVersion:
    """Return the version that serves under a model name.

    Raises:
        NoChampionError: None does.
    """
    version = find_champion(connection, model_name)
    if version is None:
        raise NoChampionError(
            f"no version serves under the model name {model_name!r}; "
            "the first candidate that passes the gate will"
        )
    return version


def check_files(version: ModelVersion, models_directory: Path) -> Path:
    """Return where a version's files lie, after checking every one of them.

    Raises:
        DamagedVersionError: Files are missing, or are not those that were published.
        RegistryError: Retention deleted them, their manifest is of another format, or their path
            leads out of the registry.
        OSError: A file is there but cannot be read.
    """
    if version.files_deleted_at is not None:
        raise RegistryError(
            f"version {version.version_id} has no files any more: retention deleted them on "
            f"{version.files_deleted_at:%Y-%m-%d}; choose a version that roi.champion_history "
            "shows to have served later"
        )
    directory = version.directory(models_directory)
    try:
        found = checksum(directory / MANIFEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedVersionError(f"{directory / MANIFEST} is missing") from error
    if found != version.checksum:
        raise DamagedVersionError(
            f"{directory / MANIFEST} is not the one that was registered: its SHA-256 is {found}, "
            f"registered is {version.checksum}"
        )
    # As it is the one that was registered, only another revision of the code could not read it.
    check_listed_files(directory, parse_manifest(directory, RegistryError), DamagedVersionError)
    return directory
