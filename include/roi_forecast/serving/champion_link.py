"""The link `champion` of a model name, made for people from what the database says."""

from __future__ import annotations

import logging
from pathlib import Path

from roi_forecast.data_path import DataPath
from roi_forecast.files.leftovers import partial_path

logger = logging.getLogger(__name__)

LINK_NAME = "champion"


def point_champion_link(models_directory: DataPath, model_name: str, version_path: str) -> bool:
    """Make the link name the champion's directory, in one step; a right link stays untouched.

    Args:
        models_directory: Folder of the registry.
        model_name: Whose champion.
        version_path: The champion's directory, relative to `models_directory`.

    Returns:
        Whether the link was changed; an object store has no links.
    """
    if not isinstance(models_directory, Path):
        return False
    link = models_directory / model_name / LINK_NAME
    target = Path(version_path).relative_to(model_name)
    if link.is_symlink() and link.readlink() == target:
        return False
    link.parent.mkdir(parents=True, exist_ok=True)
    working = partial_path(link)
    working.symlink_to(target, target_is_directory=True)
    try:
        working.replace(link)
    finally:
        working.unlink(missing_ok=True)
    logger.info("%s -> %s", link, target)
    return True
