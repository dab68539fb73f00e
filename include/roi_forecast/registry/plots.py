"""The pictures that lie with a version, for whoever shows the version."""

from __future__ import annotations

from pathlib import Path

from roi_forecast.artifacts import PLOTS_DIRECTORY, confined
from roi_forecast.errors import RegistryError
from roi_forecast.model.candidates import candidate_path


def find_plots(
    models_directory: Path, model_name: str, version_id: str, run_id: str
) -> dict[str, Path]:
    """Return the pictures of a version, by name, sorted; none where its files are gone.

    Args:
        models_directory: Folder of the registry.
        model_name: The version's model name.
        version_id: The version.
        run_id: The run that trained it; its candidate is looked at where it was never published.

    Raises:
        RegistryError: A name leads out of the registry's folder.
    """
    published = Path(model_name, "versions", version_id)
    for place in (published, candidate_path(model_name, run_id)):
        folder = confined(models_directory, place, RegistryError) / PLOTS_DIRECTORY
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.png"))}
    return {}
