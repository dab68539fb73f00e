"""Opening the version that serves under a model name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from roi_forecast.data_path import DataPath
from roi_forecast.errors import NoChampionError
from roi_forecast.files.verified import VerifiedDirectory
from roi_forecast.registry.versions import ModelVersion, find_champion, open_version
from roi_forecast.serving.champion_link import point_champion_link


@dataclass(frozen=True)
class ServingVersion:
    """The version that forecasts, its files checked: mostly the champion of a model name."""

    version: ModelVersion
    files: VerifiedDirectory


def open_champion(engine: Engine, models_directory: DataPath, model_name: str) -> ServingVersion:
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


def open_serving(champion: ModelVersion, models_directory: DataPath) -> ServingVersion:
    """Open a version that is known to serve: check its files and mend the link to it.

    Raises:
        DamagedVersionError: As `open_version`, like the other errors.
    """
    files = open_version(champion, models_directory)
    point_champion_link(models_directory, champion.model_name, champion.path)
    return ServingVersion(champion, files)


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
