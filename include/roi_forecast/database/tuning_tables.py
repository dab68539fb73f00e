"""The tables of searches for hyperparameters."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from roi_forecast.database.schema import metadata, moment

studies = Table(
    "studies",
    metadata,
    Column("study", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("dataset_id", Text, ForeignKey("roi.datasets.dataset_id"), nullable=False),
    Column("identity", JSONB, nullable=False, comment="what its trials have in common"),
    moment("created_at", now=True),
    comment="Searches for hyperparameters.",
)

trials = Table(
    "trials",
    metadata,
    Column("study", Text, ForeignKey(studies.c.study), primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("state", Text, nullable=False, comment="complete or pruned"),
    Column("parameters", JSONB, nullable=False),
    Column("validation_r2", Double),
    Column("epochs", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    moment("finished_at", now=True),
    CheckConstraint("state IN ('complete', 'pruned')", name="state"),
    comment="Trials of the searches for hyperparameters.",
)
