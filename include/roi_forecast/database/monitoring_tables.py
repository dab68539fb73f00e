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
    Column("horizon", Integer, primary_key=True, comment="reference sessions from as_of_date"),
    Column("measure", Text, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("version_id", Text, ForeignKey(_VERSION), nullable=False, comment="the champion"),
    Column("as_of_date", Date, nullable=False, comment="last target date that counts"),
    Column(
        "scope",
        Text,
        nullable=False,
        comment="version: its own forecasts; model_name: whatever served under the name",
    ),
    Column("sessions", Integer, nullable=False, comment="target sessions counted"),
    Column("threshold", Double, nullable=False),
    Column("observed", Double),
    Column("upper_95", Double, comment="upper bound of observed; below the threshold is reported"),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    moment("checked_at", now=True),
    CheckConstraint("scope IN ('version', 'model_name')", name="scope"),
    CheckConstraint("state IN ('kept', 'below', 'too_few')", name="state"),
    Index("ix_champion_checks_model_name", "model_name", "checked_at"),
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
    Column("window_rows", Integer, nullable=False, comment="rows with a bar in the newest window"),
    Column(
        "wasserstein",
        Double,
        comment="distance of the log ROI in standard deviations of the training rows",
    ),
    Column("wasserstein_limit", Double, comment="what earlier windows seldom exceeded"),
    Column("wasserstein_percentile", Double, comment="share of earlier windows that lay closer"),
    Column("scale_ratio", Double, comment="standard deviation, newest window over training rows"),
    Column("scale_ratio_low", Double, comment="what earlier windows seldom fell below"),
    Column("scale_ratio_high", Double, comment="what earlier windows seldom exceeded"),
    Column("drifting", Boolean, nullable=False),
    moment("measured_at", now=True),
    Index("ix_drift_model_name", "model_name", "as_of_date", "measured_at"),
)
