"""The tables of hyperparameter searches."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Double, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from roi_forecast.database.tables.market import datasets
from roi_forecast.database.tables.schema import MOMENT, NOW, column, metadata

studies = Table(
    "studies",
    metadata,
    column("study", Text, "name of the hyperparameter search", primary_key=True),
    column("source", Text, "price source: yahoo, simulated, or csv with its name"),
    column("dataset_id", Text, "hash of the dataset's content", ForeignKey(datasets.c.dataset_id)),
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
    column("run_id", Text, "Airflow's id of the DAG run"),
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
