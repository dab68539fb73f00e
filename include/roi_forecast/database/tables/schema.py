"""What all tables of the schema `roi` share. Columns ending in `_pct` hold percent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Date, DateTime, ForeignKey, Integer, MetaData, Text, func
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


def run_id(**options: Any) -> Column[Any]:
    """Return the column of a DAG run's id."""
    return column("run_id", Text, "Airflow's id of the DAG run", **options)


def model_name() -> Column[Any]:
    """Return the column of a model name."""
    comment = "name under which candidates compete and one champion serves"
    return column("model_name", Text, comment)


def source(**options: Any) -> Column[Any]:
    """Return the column of a price source."""
    comment = "price source: yahoo, simulated, or csv with its name"
    return column("source", Text, comment, **options)


def symbol(**options: Any) -> Column[Any]:
    """Return the column of an asset's symbol."""
    return column("symbol", Text, "the asset's symbol", **options)


def as_of_date(**options: Any) -> Column[Any]:
    """Return the column of an as-of date."""
    return column("as_of_date", Date, "last session whose prices may be used", **options)


def horizon(**options: Any) -> Column[Any]:
    """Return the column of a forecast horizon."""
    comment = "reference sessions from the as-of date to the target date"
    return column("horizon", Integer, comment, **options)


def dataset_id() -> Column[Any]:
    """Return the column that refers to a dataset."""
    key = ForeignKey(f"{SCHEMA}.datasets.dataset_id")
    return column("dataset_id", Text, "hash of the dataset's content", key)


def version_id(
    name: str = "version_id", comment: str = "the model version", **options: Any
) -> Column[Any]:
    """Return a column that refers to a model version."""
    return column(name, Text, comment, ForeignKey(f"{SCHEMA}.model_versions.version_id"), **options)
