"""What all tables of the schema `roi` share."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, func

SCHEMA = "roi"

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


def moment(
    name: str, *, nullable: bool = False, now: bool = False, comment: str | None = None
) -> Column[object]:
    """Return a column for a point in time with time zone.

    Args:
        name: Name of the column.
        nullable: Whether it may be empty.
        now: Whether the database fills it with the time of the insertion.
        comment: What it means, where the name does not say it.
    """
    default = func.now() if now else None
    return Column(
        name, DateTime(timezone=True), nullable=nullable, server_default=default, comment=comment
    )
