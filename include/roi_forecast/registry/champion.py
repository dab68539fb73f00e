"""The change of the champion in the database, which every promotion and rollback goes through."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from roi_forecast.database.engine import lock_until_commit
from roi_forecast.database.tables import model_versions, promotions
from roi_forecast.model.versions import ModelVersion


def lock_champion(connection: Connection, model_name: str) -> None:
    """Wait until no other process changes a model name's champion or deletes its versions."""
    lock_until_commit(connection, "champion", model_name)


def find_predecessor(connection: Connection, model_name: str) -> str | None:
    """Return the id of the version that served before the present champion, or None."""
    return connection.scalar(
        select(promotions.c.from_version_id)
        .where(promotions.c.model_name == model_name)
        .order_by(promotions.c.id.desc())
        .limit(1)
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
        version: The version that is to serve.
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
        .values(state="champion", path=path)
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
