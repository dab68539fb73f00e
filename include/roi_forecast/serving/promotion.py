"""Promoting and rejecting candidates. Which version serves is decided in PostgreSQL alone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import Connection, Engine, select, update

from roi_forecast.data_path import DataPath
from roi_forecast.database.tables import gate_decisions, model_versions
from roi_forecast.errors import RegistryError
from roi_forecast.files.artifacts import is_published, published_directory
from roi_forecast.files.manifest import MANIFEST
from roi_forecast.files.verified import open_verified
from roi_forecast.registry.carried_out import VERDICT, find_carried_out
from roi_forecast.registry.versions import (
    VERSIONS_DIRECTORY,
    ModelVersion,
    find_champion,
    find_version,
    open_version,
)
from roi_forecast.serving.champion import lock_champion, set_champion
from roi_forecast.serving.champion_link import point_champion_link
from roi_forecast.serving.load_check import check_loads

logger = logging.getLogger(__name__)


def promote_model(
    engine: Engine, models_directory: DataPath, version_id: str, run_id: str, promoted_by: str
) -> ModelVersion:
    """Publish a candidate that passed the gate and make it champion; safe to repeat.

    A version that was promoted for this run before, and replaced since, stays replaced.

    The files are checked in a fresh process and published before the database changes, and the
    link follows the database, so a crash at any point leaves the champion before or the new one.

    Args:
        engine: Market database.
        models_directory: Folder of the registry.
        version_id: The candidate.
        run_id: The run whose gate decided.
        promoted_by: Who or what promotes, as stored in `promotions`.

    Raises:
        RegistryError: The gate did not let it pass in this run, its files are damaged or do not
            load, or another version became champion since the decision.
    """
    with engine.connect() as connection:
        version = find_version(connection, version_id)
        decision = _decision(connection, run_id, version_id)
        champion = find_champion(connection, version.model_name)
        is_done = find_carried_out(connection, run_id, version_id) is not None
    if champion is not None and champion.version_id == version_id:
        logger.info("version %s serves already", version_id)
        point_champion_link(models_directory, version.model_name, version.path)
        return version
    if is_done:
        logger.info("version %s was promoted for this run already, and replaced since", version_id)
        return version
    check_loads(open_version(version, models_directory))
    with engine.begin() as connection:
        # Retention takes the same lock, so it never meets a version that is published but no row's.
        lock_champion(connection, version.model_name)
        champion = find_champion(connection, version.model_name)
        serving = champion.version_id if champion else None
        if serving != decision.opponent:
            raise RegistryError(
                f"version {version_id} was judged against {decision.opponent}, but {serving} "
                f"serves under {version.model_name} now; run again"
            )
        path = _publish(models_directory, version)
        set_champion(connection, version, champion, path, promoted_by, decision.reason)
    point_champion_link(models_directory, version.model_name, path)
    logger.info("version %s serves under %s now", version_id, version.model_name)
    with engine.connect() as connection:
        return find_version(connection, version_id)


def reject_model(engine: Engine, version_id: str) -> ModelVersion:
    """Mark a candidate as rejected; a version that was decided on before keeps its state."""
    with engine.begin() as connection:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == version_id, model_versions.c.state == "candidate")
            .values(state="rejected")
        )
        version = find_version(connection, version_id)
    logger.info("version %s is not promoted; its state is %s", version_id, version.state)
    return version


@dataclass(frozen=True)
class _Decision:
    opponent: str | None
    reason: str


def _decision(connection: Connection, run_id: str, version_id: str) -> _Decision:
    row = connection.execute(
        select(gate_decisions.c.opponent, gate_decisions.c.passed, gate_decisions.c.reason).where(
            gate_decisions.c.run_id == run_id,
            gate_decisions.c.version_id == version_id,
            gate_decisions.c.rule == VERDICT,
        )
    ).one_or_none()
    if row is None or not row.passed:
        state = "was not judged" if row is None else f"was rejected ({row.reason})"
        raise RegistryError(f"version {version_id} {state} in run {run_id}; it cannot be promoted")
    return _Decision(row.opponent, row.reason)


def _publish(models_directory: DataPath, version: ModelVersion) -> str:
    """Copy the version's files into `versions/`; return the path relative to the registry."""
    path = PurePosixPath(version.model_name, VERSIONS_DIRECTORY, version.version_id)
    destination = models_directory / path.as_posix()
    source = open_version(version, models_directory)
    if source.directory == destination:
        return path.as_posix()
    if not is_published(destination):
        with published_directory(destination) as directory:
            for name in source.files:
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                source.copy(name, target)
            (directory / MANIFEST).write_bytes(source.manifest_bytes)
    try:
        open_verified(destination, RegistryError, checksum=version.checksum)
    except RegistryError as error:
        raise RegistryError(
            f"{destination} holds other files than were judged; move it away ({error})"
        ) from error
    return path.as_posix()
