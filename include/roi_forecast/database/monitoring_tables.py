"""The tables in which a serving champion is watched."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)

from roi_forecast.database.schema import SCHEMA, metadata, moment

_VERSION = f"{SCHEMA}.model_versions.version_id"

champion_checks = Table(
    "champion_checks",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("horizon", Integer, primary_key=True),
    Column("measure", Text, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("version_id", Text, ForeignKey(_VERSION), nullable=False, comment="the champion"),
    Column("as_of_date", Date, nullable=False, comment="last target date that counts"),
    Column("scope", Text, nullable=False),
    Column("sessions", Integer, nullable=False),
    Column("threshold", Double, nullable=False, comment="limit of the measure"),
    Column("observed", Double, comment="the measure: a fraction or an R2"),
    Column("upper_95", Double, comment="upper bound of observed; below the threshold is reported"),
    Column("state", Text, nullable=False, comment="kept, below or too_few"),
    Column("reason", Text, nullable=False),
    moment("checked_at", now=True),
    CheckConstraint("scope IN ('version', 'model_name')", name="scope"),
    CheckConstraint("state IN ('kept', 'below', 'too_few')", name="state"),
    Index("ix_champion_checks_model_name", "model_name", "checked_at"),
    comment="What each run found when it compared the champion's live figures with their limits.",
)

drift = Table(
    "drift",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("version_id", Text, ForeignKey(_VERSION), nullable=False, comment="the champion"),
    Column("as_of_date", Date, nullable=False),
    Column("training_first_date", Date, nullable=False),
    Column("training_last_date", Date, nullable=False),
    Column("window_first_date", Date, nullable=False),
    Column("window_last_date", Date, nullable=False),
    Column("window_rows", Integer, nullable=False),
    Column("wasserstein", Double),
    Column("wasserstein_limit", Double),
    Column("wasserstein_percentile", Double),
    Column("scale_ratio", Double),
    Column("scale_ratio_low", Double),
    Column("scale_ratio_high", Double),
    Column("drifting", Boolean, nullable=False),
    moment("measured_at", now=True),
    Index("ix_drift_model_name", "model_name", "as_of_date", "measured_at"),
    comment="How far each asset's newest log ROIs lie from the champion's training rows.",
)
