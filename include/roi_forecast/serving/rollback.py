"""Rolling back: an older version serves again, without a gate but not without a look at it."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, exists, select

from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import promotions
from roi_forecast.errors import NoChampionError, RegistryError
from roi_forecast.registry.versions import ModelVersion, find_champion, find_version, open_version
from roi_forecast.serving.champion import find_predecessor, lock_champion, set_champion
from roi_forecast.serving.champion_link import point_champion_link
from roi_forecast.serving.load_check import check_loads

logger = logging.getLogger(__name__)


def roll_back_champion(
    engine: Engine,
    models_directory: DataPath,
    model_name: str,
    version_id: str | None,
    *,
    rolled_back_by: str,
    reason: str,
) -> ModelVersion:
    """Let a version that served before serve again; safe to repeat with a named version.

    Its files are checked in a fresh process first. The change is a row of `promotions` like any
    other, and the link follows it.

    Args:
        engine: Market database.
        models_directory: Folder of the registry.
        model_name: Whose champion.
        version_id: The version, or None for the one that served before the present champion.
        rolled_back_by: Who or what decided, as stored in `promotions`.
        reason: Why, as stored in `promotions`.

    Returns:
        The version that serves now.

    Raises:
        NoChampionError: No version serves under the name, so there is nothing to replace.
        RegistryError: The version never served under the name, has no files any more, is damaged
            or does not load.
    """
    with engine.connect() as connection:
        champion = _champion(connection, model_name)
        version = _choose(connection, champion, version_id)
    if version.version_id == champion.version_id:
        logger.info("version %s serves already", version.version_id)
        point_champion_link(models_directory, model_name, version.path)
        return version
    check_loads(open_version(version, models_directory))
    with engine.begin() as connection:
        serving = reinstate(connection, models_directory, version, champion, rolled_back_by, reason)
    if serving.version_id != version.version_id:
        raise RegistryError(
            f"{serving.version_id} became champion of {model_name!r} meanwhile, in place of "
            f"{champion.version_id}; look at it and roll back again if it is wrong, too"
        )
    point_champion_link(models_directory, model_name, version.path)
    logger.info(
        "version %s serves under %s again, in place of %s",
        version.version_id,
        model_name,
        champion.version_id,
    )
    return serving


def reinstate(
    connection: Connection,
    models_directory: DataPath,
    version: ModelVersion,
    champion: ModelVersion,
    decided_by: str,
    reason: str,
) -> ModelVersion:
    """Let a version that was loaded for a check take the champion's place, if that still serves.

    Args:
        connection: A transaction; holds the lock of the champion from here on.
        models_directory: Folder of the registry.
        version: The version that is to serve.
        champion: The one that is to be replaced.
        decided_by: Who or what decided, as stored in `promotions`.
        reason: Why, as stored in `promotions`.

    Returns:
        The version that serves now: a third one where another process was faster.

    Raises:
        RegistryError: The version's files have gone or were damaged since they were checked.
    """
    lock_champion(connection, champion.model_name)
    serving = _champion(connection, champion.model_name)
    if serving.version_id == champion.version_id:
        # Retention may have deleted the files since they were checked.
        open_version(find_version(connection, version.version_id), models_directory)
        set_champion(connection, version, champion, version.path, decided_by, reason)
    return _champion(connection, champion.model_name)


def _champion(connection: Connection, model_name: str) -> ModelVersion:
    champion = find_champion(connection, model_name)
    if champion is None:
        raise NoChampionError(
            f"no version serves under the model name {model_name!r}; "
            "the names that have a champion are in roi.champion_history"
        )
    return champion


def _choose(connection: Connection, champion: ModelVersion, version_id: str | None) -> ModelVersion:
    name = champion.model_name
    chosen = version_id or find_predecessor(connection, name)
    if chosen is None:
        raise RegistryError(
            f"{champion.version_id} is the first version that serves under {name!r}; "
            "there is none to go back to"
        )
    served = exists().where(promotions.c.model_name == name, promotions.c.version_id == chosen)
    if not connection.scalar(select(served)):
        raise RegistryError(
            f"version {chosen!r} never served under the model name {name!r}; "
            "those that did are in roi.champion_history"
        )
    return find_version(connection, chosen)
