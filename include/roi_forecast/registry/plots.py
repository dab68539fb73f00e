"""The pictures that lie with a version, for whoever shows the version."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import PLOTS_DIRECTORY, confined
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import VerifiedDirectory, open_listing
from roi_forecast.registry.candidates import candidate_path
from roi_forecast.registry.versions import VERSIONS_DIRECTORY

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plots:
    """The pictures that a version's manifest lists.

    Attributes:
        files: By the picture's name, the name of its file in the manifest; sorted.
        listing: The version's files; None where there are none.
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


def find_plots(models_directory: Path, model_name: str, version_id: str, run_id: str) -> Plots:
    """Return the pictures of a version; none where its files are gone or have no sound manifest.

    Args:
        models_directory: Folder of the registry.
        model_name: The version's model name.
        version_id: The version.
        run_id: The run that trained it; its candidate is looked at where it was never published.

    Raises:
        RegistryError: A name leads out of the registry's folder.
    """
    published = Path(model_name, VERSIONS_DIRECTORY, version_id)
    for place in (published, candidate_path(model_name, run_id)):
        folder = confined(models_directory, place, RegistryError)
        if not (folder / MANIFEST).exists():
            continue
        try:
            listing = open_listing(folder, RegistryError)
        except (RegistryError, OSError) as error:
            logger.warning("the pictures of version %s are not shown: %s", version_id, error)
            break
        paths = [PurePosixPath(name) for name in sorted(listing.files)]
        own = [path for path in paths if str(path.parent) == PLOTS_DIRECTORY]
        files = {path.stem: str(path) for path in own if path.suffix == ".png"}
        return Plots(files, listing)
    return Plots({}, None)
