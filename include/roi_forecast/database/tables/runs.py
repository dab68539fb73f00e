"""The tables of runs, the attempts at their stages, hyperparameter searches, and changes of rows.

An attempt's start and its ending are a row each, and stored rows of either never change.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from roi_forecast.database.tables.schema import (
    MOMENT,
    as_of_date,
    column,
    dataset_id,
    metadata,
    model_name,
    now,
    nullable,
    number,
    run_id,
    source,
)

runs = sa.Table(
    "runs",
    metadata,
    run_id(primary_key=True),
    model_name(),
    source(),
    as_of_date(),
    column("published_at", MOMENT, "when its forecasts are due"),
    column("resolved", JSONB, "the resolved run, as its stages read it"),
    now("claimed_at", "when the run claimed its model name"),
    nullable("released_at", MOMENT, "when it released the name; null until then"),
    sa.Index(
        "uq_runs_one_claim_per_model_name",
        "model_name",
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    ),
    sa.Index("ix_runs_newest", sa.text("claimed_at DESC"), "run_id"),
    sa.Index("ix_runs_study", sa.text("(resolved #>> '{tuning,study}')"), "claimed_at"),
    comment="Every resolved run; its stages read their parameters from here.",
)

run_starts = sa.Table(
    "run_starts",
    metadata,
    run_id(primary_key=True),
    column("dag_id", sa.Text, "Airflow's id of the DAG"),
    nullable("model_name", sa.Text, "as requested; null if no name could be read"),
    column("started_at", MOMENT, "when its first stage first started"),
    sa.Index("ix_run_starts_newest", sa.text("started_at DESC"), "run_id"),
    comment="Every run that started, including those refused before they were resolved.",
)

stage_attempts = sa.Table(
    "stage_attempts",
    metadata,
    column("attempt_id", sa.Integer, "identifies the attempt", sa.Identity(), primary_key=True),
    run_id(),
    column("stage", sa.Text, "the stage, named like its Airflow task"),
    column("map_index", sa.Integer, "position among the stage's instances; -1 if only one"),
    column("attempt", sa.Integer, "number of the attempt at the stage, from 1"),
    column("started_at", MOMENT, "when the attempt started"),
    sa.Index("ix_stage_attempts_run_id", "run_id", "attempt_id"),
    comment="Every attempt at a stage of a run; while it runs, its process holds a lock.",
)

stage_endings = sa.Table(
    "stage_endings",
    metadata,
    column("ending_id", sa.Integer, "identifies the ending", sa.Identity(), primary_key=True),
    column(
        "attempt_id",
        sa.Integer,
        "identifies the attempt",
        sa.ForeignKey(stage_attempts.c.attempt_id),
    ),
    column("ended_at", MOMENT, "when it ended"),
    column("outcome", sa.Text, "succeeded, skipped, waiting, retrying or failed"),
    column("ends_run", sa.Boolean, "true: the run is done with this attempt"),
    nullable("reason", sa.Text, "why, in words"),
    sa.CheckConstraint(
        "outcome IN ('succeeded', 'skipped', 'waiting', 'retrying', 'failed')", name="outcome"
    ),
    sa.Index("ix_stage_endings_attempt_id", "attempt_id", "ending_id"),
    comment="How attempts ended; the newest ending counts, and a killed process leaves none.",
)

studies = sa.Table(
    "studies",
    metadata,
    column("study", sa.Text, "name of the hyperparameter search", primary_key=True),
    source(),
    dataset_id(),
    column("identity", JSONB, "what all its trials have in common"),
    nullable(
        "importance",
        JSONB(none_as_null=True),
        "by searched parameter its share in what the scores vary by; null before a search ends, "
        "and with too few scores",
    ),
    now("created_at", "when the row was stored"),
    comment="Hyperparameter searches.",
)

trials = sa.Table(
    "trials",
    metadata,
    column(
        "study",
        sa.Text,
        "name of the hyperparameter search",
        sa.ForeignKey(studies.c.study),
        primary_key=True,
    ),
    column("trial", sa.Integer, "number of the trial in its study", primary_key=True),
    run_id(),
    column("state", sa.Text, "complete or pruned"),
    column("parameters", JSONB, "the hyperparameters that the trial tried"),
    nullable(
        "validation_r2",
        sa.Double,
        "validation R2 of the scaled smoothed ROI; null if pruned",
    ),
    column("epochs", sa.Integer, "number of epochs trained"),
    column("seconds", sa.Double, "duration of training, in seconds"),
    now("finished_at", "when it finished"),
    sa.CheckConstraint("state IN ('complete', 'pruned')", name="state"),
    comment="Trials of the hyperparameter searches.",
)

history_changes = sa.Table(
    "history_changes",
    metadata,
    number(),
    column("table_name", sa.Text, "table of the schema roi whose rows changed"),
    column("operation", sa.Text, "UPDATE or DELETE"),
    column("rows", sa.Integer, "number of rows changed or deleted"),
    column(
        "old_values",
        JSONB,
        "the row before; of daily_prices the series, of deleted evaluations run, version and split",
    ),
    now("changed_at", "when it was changed or deleted"),
    column(
        "changed_by",
        sa.Text,
        "login that changed or deleted it",
        server_default=sa.text("SESSION_USER"),
    ),
    column(
        "application_name",
        sa.Text,
        "application_name of the connection that changed or deleted it",
        server_default=sa.text("current_setting('application_name')"),
    ),
    sa.Index("ix_history_changes_table_name", "table_name", "changed_at"),
    comment="Every change and deletion of a stored row.",
)
