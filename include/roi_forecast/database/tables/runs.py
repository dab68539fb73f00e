"""The tables of runs, the attempts at their stages, hyperparameter searches, and changes of rows.

An attempt's start and its ending are a row each, and stored rows of either never change.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from roi_forecast.database.tables.schema import (
    MOMENT,
    NOW,
    as_of_date,
    column,
    dataset_id,
    metadata,
    model_name,
    run_id,
    source,
)

runs = Table(
    "runs",
    metadata,
    run_id(primary_key=True),
    model_name(),
    source(),
    as_of_date(),
    column("resolved", JSONB, "the resolved run, as its stages read it"),
    column("claimed_at", MOMENT, "when the run claimed its model name", server_default=NOW),
    column("released_at", MOMENT, "when it released the name; null until then", nullable=True),
    Index(
        "uq_runs_one_claim_per_model_name",
        "model_name",
        unique=True,
        postgresql_where=text("released_at IS NULL"),
    ),
    Index("ix_runs_newest", text("claimed_at DESC"), "run_id"),
    comment="Every resolved run; its stages read their parameters from here.",
)

run_starts = Table(
    "run_starts",
    metadata,
    run_id(primary_key=True),
    column("dag_id", Text, "Airflow's id of the DAG"),
    column("model_name", Text, "as requested; null if no name could be read", nullable=True),
    column("started_at", MOMENT, "when its first stage first started"),
    Index("ix_run_starts_newest", text("started_at DESC"), "run_id"),
    comment="Every run that started, including those refused before they were resolved.",
)

stage_attempts = Table(
    "stage_attempts",
    metadata,
    column("attempt_id", Integer, "identifies the attempt", Identity(), primary_key=True),
    run_id(),
    column("stage", Text, "the stage, named like its Airflow task"),
    column("map_index", Integer, "position among the stage's instances; -1 if there is only one"),
    column("attempt", Integer, "number of the attempt at the stage, from 1"),
    column("started_at", MOMENT, "when the attempt started"),
    Index("ix_stage_attempts_run_id", "run_id", "attempt_id"),
    comment="Every attempt at a stage of a run; while it runs, its process holds a lock.",
)

stage_endings = Table(
    "stage_endings",
    metadata,
    column("ending_id", Integer, "identifies the ending", Identity(), primary_key=True),
    column(
        "attempt_id", Integer, "identifies the attempt", ForeignKey(stage_attempts.c.attempt_id)
    ),
    column("ended_at", MOMENT, "when it ended"),
    column("outcome", Text, "succeeded, skipped, waiting, retrying or failed"),
    column("ends_run", Boolean, "true: the run is done with this attempt"),
    column("reason", Text, "why, in words", nullable=True),
    CheckConstraint(
        "outcome IN ('succeeded', 'skipped', 'waiting', 'retrying', 'failed')", name="outcome"
    ),
    Index("ix_stage_endings_attempt_id", "attempt_id", "ending_id"),
    comment="How attempts ended; the newest ending counts, and a killed process leaves none.",
)

studies = Table(
    "studies",
    metadata,
    column("study", Text, "name of the hyperparameter search", primary_key=True),
    source(),
    dataset_id(),
    column("identity", JSONB, "what all its trials have in common"),
    column("created_at", MOMENT, "when the row was stored", server_default=NOW),
    comment="Hyperparameter searches.",
)

trials = Table(
    "trials",
    metadata,
    column(
        "study",
        Text,
        "name of the hyperparameter search",
        ForeignKey(studies.c.study),
        primary_key=True,
    ),
    column("trial", Integer, "number of the trial in its study", primary_key=True),
    run_id(),
    column("state", Text, "complete or pruned"),
    column("parameters", JSONB, "the hyperparameters that the trial tried"),
    column(
        "validation_r2",
        Double,
        "R2 of the scaled smoothed ROI on validation rows; null if pruned",
        nullable=True,
    ),
    column("epochs", Integer, "number of epochs trained"),
    column("seconds", Double, "duration of training, in seconds"),
    column("finished_at", MOMENT, "when it finished", server_default=NOW),
    CheckConstraint("state IN ('complete', 'pruned')", name="state"),
    comment="Trials of the hyperparameter searches.",
)

history_changes = Table(
    "history_changes",
    metadata,
    column("id", BigInteger, "number of the row", Identity(), primary_key=True),
    column("table_name", Text, "table of the schema roi whose rows changed"),
    column("operation", Text, "UPDATE or DELETE"),
    column("rows", Integer, "number of rows changed or deleted"),
    column(
        "old_values",
        JSONB,
        "the row before the change; of daily_prices the series and its first and last changed date",
    ),
    column("changed_at", MOMENT, "when it was changed or deleted", server_default=NOW),
    column(
        "changed_by",
        Text,
        "login that changed or deleted it",
        server_default=text("SESSION_USER"),
    ),
    column(
        "application_name",
        Text,
        "application_name of the connection that changed or deleted it",
        server_default=text("current_setting('application_name')"),
    ),
    Index("ix_history_changes_table_name", "table_name", "changed_at"),
    comment="Every change and deletion of a stored row.",
)
