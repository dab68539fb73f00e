"""What all tables of the schema `roi` share. Columns ending in `_pct` hold percent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, func
from sqlalchemy.sql.base import SchemaEventTarget

SCHEMA = "roi"
MOMENT = DateTime(timezone=True)
NOW = func.now()
"""Default of a column that holds the time of the insertion."""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)


def column(
    name: str,
    kind: Any,
    comment: str,
    *items: SchemaEventTarget,
    nullable: bool = False,
    **options: Any,
) -> Column[Any]:
    """Return a column that has a comment and, unless `nullable`, always a value.

    Args:
        name: Name of the column.
        kind: Its SQLAlchemy type.
        comment: Its meaning, as people read it in psql; views pass it on.
        items: Foreign key or identity.
        nullable: Whether it may be null.
        options: Other options of `Column`.
    """
    return Column(name, kind, *items, nullable=nullable, comment=comment, **options)
