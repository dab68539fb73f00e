"""The tables of the schema `roi`. Columns ending in `_pct` hold percent, others fractions."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from roi_forecast.database.market_tables import (
    assets,
    daily_prices,
    extractions,
    price_checks,
    price_restatements,
)
from roi_forecast.database.monitoring_tables import champion_checks, drift
from roi_forecast.database.schema import SCHEMA, metadata, moment
from roi_forecast.database.tuning_tables import studies, trials

__all__ = [
    "SCHEMA",
    "assets",
    "champion_checks",
    "daily_prices",
    "datasets",
    "drift",
    "evaluations",
    "extractions",
    "gate_decisions",
    "metadata",
    "model_versions",
    "predictions",
    "price_checks",
    "price_restatements",
    "promotions",
    "runs",
    "studies",
    "trials",
]

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("resolved", JSONB, nullable=False, comment="the resolved run, as stages read it"),
    moment("claimed_at", now=True),
    moment("released_at", nullable=True),
)
Index(
    "uq_runs_one_claim_per_model_name",
    runs.c.model_name,
    unique=True,
    postgresql_where=runs.c.released_at.is_(None),
)
Index("ix_runs_newest", runs.c.claimed_at.desc(), runs.c.run_id)

datasets = Table(
    "datasets",
    metadata,
    Column("dataset_id", Text, primary_key=True, comment="hash of the content"),
    Column("source", Text, nullable=False),
    Column("symbols", ARRAY(Text), nullable=False),
    Column("as_of_date", Date, nullable=False),
    Column("first_date", Date, nullable=False),
    Column("last_date", Date, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("manifest", JSONB, nullable=False),
    moment("created_at", now=True),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("version_id", Text, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column(
        "fingerprint", Text, nullable=False, comment="hash of dataset, hyperparameters and seed"
    ),
    Column("run_id", Text, nullable=False, comment="the run that trained it"),
    Column("dataset_id", Text, ForeignKey(datasets.c.dataset_id), nullable=False),
    Column("source", Text, nullable=False),
    Column("symbols", ARRAY(Text), nullable=False),
    Column("first_date", Date, nullable=False, comment="first row of its data"),
    Column("last_date", Date, nullable=False, comment="last row of its data"),
    Column("hyperparameters", JSONB, nullable=False),
    Column(
        "training_record",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="all parameters, libraries, device, and each member's seed and durations",
    ),
    Column("metrics", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("seed", Integer, nullable=False),
    Column("code_revision", Text, nullable=False),
    Column("path", Text, nullable=False, comment="relative to the registry's folder"),
    Column("checksum", Text, nullable=False, comment="SHA-256 of its manifest"),
    moment("created_at", now=True),
    moment("files_deleted_at", nullable=True, comment="null while its files are there"),
    moment("damaged_at", nullable=True, comment="null while its files are not known to be damaged"),
    Index("ix_model_versions_fingerprint", "model_name", "fingerprint"),
    CheckConstraint("state IN ('candidate', 'champion', 'retired', 'rejected')", name="state"),
)
Index(
    "uq_model_versions_one_champion_per_model_name",
    model_versions.c.model_name,
    unique=True,
    postgresql_where=model_versions.c.state == "champion",
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("run_id", Text, nullable=False),
    Column(
        "version_id",
        Text,
        ForeignKey(model_versions.c.version_id),
        comment="null for a backtest, which trains a model for every fold and publishes none",
    ),
    Column("dataset_id", Text, ForeignKey(datasets.c.dataset_id), nullable=False),
    Column("fold", Integer, comment="of a backtest, from 0; null for all rows together"),
    Column("predictor", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("symbol", Text, comment="null for all assets together"),
    Column("split", Text, nullable=False),
    Column(
        "horizon",
        Integer,
        nullable=False,
        server_default=text("1"),
        comment="reference sessions from the as-of to the target date",
    ),
    Column(
        "newest_sessions",
        Integer,
        comment="only so many target sessions, the newest, are counted; null for all",
    ),
    Column("first_date", Date, nullable=False),
    Column("last_date", Date, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("metric", Text, nullable=False),
    Column("value", Double),
    UniqueConstraint(
        "run_id",
        "version_id",
        "fold",
        "predictor",
        "target",
        "symbol",
        "split",
        "metric",
        "horizon",
        "newest_sessions",
        name="uq_evaluations_one_value",
        postgresql_nulls_not_distinct=True,
    ),
    CheckConstraint(
        "split IN ('train', 'validation', 'test', 'live', 'backfill', 'backtest')", name="split"
    ),
    CheckConstraint("(version_id IS NULL) = (split = 'backtest')", name="version_or_backtest"),
    Index("ix_evaluations_version_id", "version_id"),
    Index(
        "ix_evaluations_live_sessions",
        "version_id",
        postgresql_where=text("metric = 'sessions' AND split IN ('live', 'backfill')"),
    ),
)

gate_decisions = Table(
    "gate_decisions",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("version_id", Text, ForeignKey(model_versions.c.version_id), primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("opponent", Text, comment="version it was compared with, or null"),
    Column("decisive", Boolean, nullable=False, comment="false: shown, but does not decide"),
    Column("threshold", Double),
    Column("observed", Double),
    Column("passed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    moment("decided_at", now=True),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("version_id", Text, ForeignKey(model_versions.c.version_id), nullable=False),
    Column("from_version_id", Text, ForeignKey(model_versions.c.version_id)),
    Column("promoted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    moment("promoted_at", now=True),
    Index("ix_promotions_model_name", "model_name"),
)

predictions = Table(
    "predictions",
    metadata,
    Column("version_id", Text, ForeignKey(model_versions.c.version_id), primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("as_of_date", Date, primary_key=True),
    Column("horizon", Integer, primary_key=True, comment="reference sessions from as_of_date"),
    Column("target_date", Date, nullable=False),
    Column(
        "method",
        Text,
        nullable=False,
        server_default=text("'single_step'"),
        comment="single_step at horizon 1, beyond it direct or recursive",
    ),
    Column("run_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("dataset_id", Text, ForeignKey(datasets.c.dataset_id), nullable=False),
    Column("predicted_roi_pct", Double, nullable=False),
    Column("predicted_smoothed_roi_pct", Double, nullable=False),
    Column("lower_80_pct", Double, nullable=False),
    Column("upper_80_pct", Double, nullable=False),
    Column("lower_95_pct", Double, nullable=False),
    Column("upper_95_pct", Double, nullable=False),
    Column(
        "member_spread_pct",
        Double,
        comment="deviation of predicted_smoothed_roi_pct over an ensemble; null for one network",
    ),
    Column("backfill", Boolean, nullable=False, comment="made after its target session opened"),
    moment("created_at", now=True),
    CheckConstraint(
        "CASE WHEN horizon = 1 THEN method = 'single_step' "
        "ELSE method IN ('direct', 'recursive') END",
        name="method",
    ),
    Index("ix_predictions_as_of_date", "as_of_date"),
    Index("ix_predictions_newest", "version_id", "horizon", "as_of_date"),
    Index("ix_predictions_symbol", "symbol", "as_of_date"),
    Index("ix_predictions_target_date", "target_date"),
)
