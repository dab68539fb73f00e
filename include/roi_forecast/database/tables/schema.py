"""What all tables of the schema `roi` share. Columns ending in `_pct` hold percent."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.base import SchemaEventTarget

SCHEMA = "roi"
MOMENT = sa.DateTime(timezone=True)
EMPTY = sa.text("'{}'::jsonb")
NONE = sa.text("'{}'::text[]")

metadata = sa.MetaData(
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
    name: str, kind: Any, comment: str, *items: SchemaEventTarget, **options: Any
) -> sa.Column[Any]:
    """Return a column that always has a value.

    Args:
        name: Name of the column.
        kind: Its SQLAlchemy type.
        comment: Its meaning, as people read it in psql; views and the API pass it on.
        items: Foreign key or identity.
        options: Other options of `Column`.
    """
    return sa.Column(name, kind, *items, comment=comment, **{"nullable": False, **options})


def nullable(name: str, kind: Any, comment: str, **options: Any) -> sa.Column[Any]:
    """Return a column that may be null; the comment says when."""
    return column(name, kind, comment, nullable=True, **options)


def now(name: str, comment: str) -> sa.Column[Any]:
    """Return a column for the time of the insertion."""
    return column(name, MOMENT, comment, server_default=sa.func.now())


def number() -> sa.Column[Any]:
    """Return a primary key that numbers the rows."""
    return column("id", sa.BigInteger, "number of the row", sa.Identity(), primary_key=True)


def run_id(**options: Any) -> sa.Column[Any]:
    """Return the column of a DAG run's id."""
    return column("run_id", sa.Text, "Airflow's id of the DAG run", **options)


def model_name(**options: Any) -> sa.Column[Any]:
    """Return the column of a model name."""
    comment = "name under which candidates compete and one champion serves"
    return column("model_name", sa.Text, comment, **options)


def source(**options: Any) -> sa.Column[Any]:
    """Return the column of a price source."""
    comment = "price source, such as yahoo, or csv with its name"
    return column("source", sa.Text, comment, **options)


def symbol(**options: Any) -> sa.Column[Any]:
    """Return the column of an asset's symbol."""
    return column("symbol", sa.Text, "the asset's symbol", **options)


def as_of_date(**options: Any) -> sa.Column[Any]:
    """Return the column of an as-of date."""
    return column("as_of_date", sa.Date, "last session whose prices may be used", **options)


def horizon(**options: Any) -> sa.Column[Any]:
    """Return the column of a forecast horizon."""
    comment = "reference sessions from the as-of date to the target date"
    return column("horizon", sa.Integer, comment, **options)


def dataset_id() -> sa.Column[Any]:
    """Return the column that refers to a dataset."""
    key = sa.ForeignKey(f"{SCHEMA}.datasets.dataset_id")
    return column("dataset_id", sa.Text, "hash of the dataset's content", key)


def version_id(
    name: str = "version_id", comment: str = "the model version", **options: Any
) -> sa.Column[Any]:
    """Return a column that refers to a model version."""
    key = sa.ForeignKey(f"{SCHEMA}.model_versions.version_id")
    return column(name, sa.Text, comment, key, **options)
