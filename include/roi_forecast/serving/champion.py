"""The change of the champion in the database, which every promotion and rollback goes through."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, insert, select, update

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.tables import model_versions, promotions
from roi_forecast.registry.versions import ModelVersion


def lock_champion(connection: Connection, model_name: str) -> None:
    """Wait until no other process changes a model name's champion or deletes its versions."""
    lock_until_commit(connection, "champion", model_name)


def find_predecessor(connection: Connection, model_name: str) -> str | None:
    """Return the id of the version that served last before the present champion, or None.

    Those whose files were found damaged are left out.
    """
    return connection.scalar(
        select(promotions.c.from_version_id)
        .join(model_versions, model_versions.c.version_id == promotions.c.from_version_id)
        .where(
            promotions.c.model_name == model_name,
            model_versions.c.state != "champion",
            model_versions.c.damaged_at.is_(None),
        )
        .order_by(promotions.c.id.desc())
        .limit(1)
    )


def find_undisputed(connection: Connection, model_name: str) -> list[str]:
    """Return the versions that served before the present champion, the newest first.

    Those from which somebody went back to an older one are left out: nobody wants them again.
    """
    served = connection.scalars(
        select(promotions.c.version_id)
        .where(promotions.c.model_name == model_name)
        .order_by(promotions.c.id)
    )
    line: list[str] = []
    for version_id in served:
        if version_id in line:
            del line[line.index(version_id) :]
        line.append(version_id)
    return line[-2::-1]


def mark_damaged(connection: Connection, version_ids: Collection[str]) -> None:
    """Note that files of versions are damaged, until one of them serves again."""
    connection.execute(
        update(model_versions)
        .where(model_versions.c.version_id.in_(version_ids))
        .values(damaged_at=func.now())
    )


def set_champion(
    connection: Connection,
    version: ModelVersion,
    champion: ModelVersion | None,
    path: str,
    promoted_by: str,
    reason: str,
) -> None:
    """Let a version serve in the champion's place, and add the change to `promotions`.

    Args:
        connection: A transaction that holds the lock of the model name's champion.
        version: The version that is to serve, its files checked.
        champion: The one that serves now, or None.
        path: Where the version's files lie, relative to the registry.
        promoted_by: Who or what decided.
        reason: Why.
    """
    if champion is not None:
        connection.execute(
            update(model_versions)
            .where(model_versions.c.version_id == champion.version_id)
            .values(state="retired")
        )
    connection.execute(
        update(model_versions)
        .where(model_versions.c.version_id == version.version_id)
        .values(state="champion", path=path, damaged_at=None)
    )
    connection.execute(
        insert(promotions).values(
            model_name=version.model_name,
            version_id=version.version_id,
            from_version_id=champion.version_id if champion else None,
            promoted_by=promoted_by,
            reason=reason,
        )
    )
