"""Falling back: where the champion's files are damaged, the version before serves by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from roi_forecast.data_path import DataPath
from roi_forecast.errors import DamagedVersionError, NoChampionError, RegistryError
from roi_forecast.registry.versions import ModelVersion, find_version, open_version
from roi_forecast.serving.champion import find_undisputed, mark_damaged
from roi_forecast.serving.load_check import check_loads
from roi_forecast.serving.rollback import reinstate
from roi_forecast.serving.serving_version import (
    ServingVersion,
    open_champion,
    open_serving,
    require_champion,
)

logger = logging.getLogger(__name__)


def open_whole_champion(
    engine: Engine, models_directory: DataPath, model_name: str, run_id: str
) -> ServingVersion:
    """Return the champion; where its files are damaged, let the version before serve first.

    The newest version takes its place that served before, forecasts from the same source, and
    loads in a fresh process; one from which a person went back is left alone. The change is a row
    of `promotions` that names the damage, the damaged versions are marked, and the link follows.
    What another version would not mend is raised as it is and changes nothing: a database that
    does not answer, files that cannot be read, a format that this revision of the code lacks.

    Args:
        engine: Market database.
        models_directory: Folder of the registry.
        model_name: Whose champion.
        run_id: The run that wants it, named in `promotions`.

    Raises:
        NoChampionError: No version serves under the name.
        DamagedVersionError: Files of the champion are missing or damaged, and no version before
            can take its place.
        RegistryError: As `open_champion`.
        OSError: Likewise.
    """
    with engine.connect() as connection:
        champion = require_champion(connection, model_name)
    try:
        return open_serving(champion, models_directory)
    except DamagedVersionError as damage:
        _fall_back(engine, models_directory, champion, damage, run_id)
    return open_champion(engine, models_directory, model_name)


def replace_damaged_champion(
    engine: Engine, models_directory: DataPath, model_name: str, run_id: str
) -> None:
    """Let the version before serve where the champion's files are damaged, if one can.

    For a stage that can do without a champion: see `open_whole_champion` for the others.

    Args:
        engine: Market database.
        models_directory: Folder of the registry.
        model_name: Whose champion.
        run_id: The run that asks, named in `promotions`.
    """
    try:
        open_whole_champion(engine, models_directory, model_name, run_id)
    except NoChampionError:
        return
    except RegistryError as error:
        logger.warning("the champion of %s cannot be opened: %s", model_name, error)


def fallback_author(run_id: str) -> str:
    """Return who promoted, as stored in `promotions`, where a run fell back."""
    return f"fallback of run {run_id}"


def _fall_back(
    engine: Engine,
    models_directory: DataPath,
    champion: ModelVersion,
    damage: DamagedVersionError,
    run_id: str,
) -> None:
    name = champion.model_name
    # Pages show the reason: where the registry lies is nothing to them.
    what = str(damage).replace(f"{models_directory}/", "")
    with engine.connect() as connection:
        earlier = list(_earlier_versions(connection, champion))
    damaged, refused = [champion.version_id], []
    for version in earlier:
        try:
            check_loads(open_version(version, models_directory))
            break
        except RegistryError as error:
            if isinstance(error, DamagedVersionError):
                damaged.append(version.version_id)
            refused.append(f"{version.version_id} ({error})")
    else:
        tried = "; ".join(refused) or "none before it served from the same source"
        raise DamagedVersionError(
            f"{damage}. No version can take the place of champion {champion.version_id}: {tried}. "
            "Restore its files from a backup, or train with gate_override_reason"
        ) from damage
    with engine.begin() as connection:
        serving = reinstate(
            connection,
            models_directory,
            version,
            champion,
            fallback_author(run_id),
            f"champion {champion.version_id} is damaged: {what}",
        )
        if serving.version_id == version.version_id:
            mark_damaged(connection, damaged)
    logger.warning(
        "champion %s is damaged (%s); %s serves under %s in its place. To have it back, restore "
        "its files from a backup and trigger roll_back_champion with its version_id",
        champion.version_id,
        damage,
        serving.version_id,
        name,
    )


def _earlier_versions(connection: Connection, champion: ModelVersion) -> Iterator[ModelVersion]:
    for version_id in find_undisputed(connection, champion.model_name):
        version = find_version(connection, version_id)
        # Another source may have no prices for the run, and simulated ones never replace real ones.
        if version.source == champion.source:
            yield version
