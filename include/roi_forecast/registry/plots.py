"""The pictures that an evaluation or a backtest drew, for whoever shows them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import PurePosixPath

from roi_forecast.data_path import DataPath
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import PLOTS_DIRECTORY, confined, has_manifest
from roi_forecast.files.verified import VerifiedDirectory, open_listing

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plots:
    """The pictures of a folder, as its manifest lists them.

    Attributes:
        files: By the picture's name, the name of its file in the manifest; sorted.
        listing: The folder's files; None where there are none.
    """

    files: dict[str, str]
    listing: VerifiedDirectory | None

    def read(self, name: str) -> bytes:
        """Return a picture, in the format PNG, by the bytes whose SHA-256 the manifest lists.

        Raises:
            RegistryError: There is no such picture, or its file is missing or another.
            OSError: Its file cannot be read.
        """
        if self.listing is None or name not in self.files:
            raise RegistryError(f"there is no picture {name!r}; there are {list(self.files)}")
        return self.listing.read(self.files[name])


def plots_directory(models_directory: DataPath, model_name: str, version_id: str) -> DataPath:
    """Return where the pictures of a version lie: next to its files, which never change.

    Raises:
        RegistryError: A name leads out of the registry's folder.
    """
    path = PurePosixPath(model_name, PLOTS_DIRECTORY, version_id)
    return confined(models_directory, path, RegistryError)


def find_plots(models_directory: DataPath, model_name: str, version_id: str) -> Plots:
    """Return the pictures of a version; none where they are gone or have no sound manifest.

    Raises:
        RegistryError: A name leads out of the registry's folder.
    """
    return open_plots(plots_directory(models_directory, model_name, version_id))


def open_plots(folder: DataPath) -> Plots:
    """Return the pictures of a folder; none where they are gone or have no sound manifest."""
    try:
        if not has_manifest(folder):
            return Plots({}, None)
        listing = open_listing(folder, RegistryError)
    except (RegistryError, OSError) as error:
        logger.warning("the pictures in %s are not shown: %s", folder, error)
        return Plots({}, None)
    paths = [PurePosixPath(name) for name in sorted(listing.files)]
    return Plots({path.stem: str(path) for path in paths if path.suffix == ".png"}, listing)
