"""The tables that say which runs began and how each attempt at each of their stages went.

Rows are only added: an attempt that began and how it ended are a row each.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)

from roi_forecast.database.schema import metadata, moment

run_starts = Table(
    "run_starts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("dag_id", Text, nullable=False),
    Column("model_name", Text, comment="as it was asked for; null where no name could be read"),
    moment("started_at", comment="when its first stage began for the first time"),
    comment="Every run that began, also those that were refused before they were resolved.",
)
Index("ix_run_starts_newest", run_starts.c.started_at.desc(), run_starts.c.run_id)

stage_attempts = Table(
    "stage_attempts",
    metadata,
    Column("attempt_id", Integer, Identity(), primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    moment("started_at"),
    Index("ix_stage_attempts_run_id", "run_id", "attempt_id"),
    comment="Every attempt at a stage of a run; while one runs, its process holds a lock.",
)

stage_endings = Table(
    "stage_endings",
    metadata,
    Column("ending_id", Integer, Identity(), primary_key=True),
    Column("attempt_id", Integer, ForeignKey(stage_attempts.c.attempt_id), nullable=False),
    moment("ended_at"),
    Column("outcome", Text, nullable=False),
    Column("ends_run", Boolean, nullable=False),
    Column("reason", Text),
    CheckConstraint(
        "outcome IN ('succeeded', 'skipped', 'waiting', 'retrying', 'failed')", name="outcome"
    ),
    Index("ix_stage_endings_attempt_id", "attempt_id", "ending_id"),
    comment="How attempts ended; the newest ending counts, and one whose process died has none.",
)
