"""Alembic's entry point: runs the migrations on the connection of `migrate`."""

from __future__ import annotations

from alembic import context

from roi_forecast.database.tables import SCHEMA, metadata


def _include_name(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "schema" or name == SCHEMA


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=_include_name,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
