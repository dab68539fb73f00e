"""Where the file or folder of a run with source csv is; loads no package that reads files."""

from __future__ import annotations

from pathlib import Path

from roi_forecast.config import DataConfig
from roi_forecast.errors import ConfigError
from roi_forecast.files.artifacts import confined
from roi_forecast.quoting import named
from roi_forecast.settings import Settings


def price_path(config: DataConfig, settings: Settings) -> Path:
    """Return the path of a run's file or folder, which need not exist.

    Raises:
        ConfigError: csv_path leads out of the folder that this installation reads files from.
    """
    path, folder = Path(str(config.csv_path)), settings.csv_directory
    if folder is None:
        return path
    try:
        return confined(folder, path, ConfigError)
    except ConfigError as error:
        raise ConfigError(f"csv_path: {error}") from None


def no_such_path(path: Path) -> str:
    """Return why a run cannot read a path that does not exist."""
    return (
        f"{named(path)}: no such file or folder on this machine; csv_path must be a path that the "
        "workers see"
    )
