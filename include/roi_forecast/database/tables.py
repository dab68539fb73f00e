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

from roi_forecast.database.column_comments import COLUMN_COMMENTS
from roi_forecast.database.history import history_changes
from roi_forecast.database.market_tables import (
    assets,
    daily_prices,
    extractions,
    price_checks,
    price_restatements,
)
from roi_forecast.database.monitoring_tables import champion_checks, drift
from roi_forecast.database.run_tables import run_starts, stage_attempts, stage_endings
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
    "history_changes",
    "metadata",
    "model_versions",
    "predictions",
    "price_checks",
    "price_restatements",
    "promotions",
    "run_starts",
    "runs",
    "stage_attempts",
    "stage_endings",
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
    comment="Every run that claimed a model name; the stages read it from here.",
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
    Column("path", Text, nullable=False, comment="folder of its files"),
    Column("manifest", JSONB, nullable=False),
    moment("created_at", now=True),
    comment="Datasets that runs built; their arrays are files.",
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("version_id", Text, primary_key=True),
    Column("model_name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("run_id", Text, nullable=False, comment="the run that trained it"),
    Column("dataset_id", Text, ForeignKey(datasets.c.dataset_id), nullable=False),
    Column("source", Text, nullable=False),
    Column("symbols", ARRAY(Text), nullable=False),
    Column("first_date", Date, nullable=False, comment="first row of its data"),
    Column("last_date", Date, nullable=False, comment="last row of its data"),
    Column("hyperparameters", JSONB, nullable=False),
    Column("metrics", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("seed", Integer, nullable=False),
    Column("code_revision", Text, nullable=False),
    Column("path", Text, nullable=False, comment="relative to the registry's folder"),
    Column("checksum", Text, nullable=False),
    moment("created_at", now=True),
    moment("files_deleted_at", nullable=True),
    Column(
        "training_record",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="all parameters, libraries, device, and each member's seed and durations",
    ),
    moment("damaged_at", nullable=True),
    Index("ix_model_versions_fingerprint", "model_name", "fingerprint"),
    CheckConstraint("state IN ('candidate', 'champion', 'retired', 'rejected')", name="state"),
    comment="Every version that was trained; its weights are files.",
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
    Column("fold", Integer),
    Column("predictor", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("symbol", Text, comment="null for all assets together"),
    Column("split", Text, nullable=False),
    Column("first_date", Date, nullable=False),
    Column("last_date", Date, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("metric", Text, nullable=False),
    Column("value", Double),
    Column("horizon", Integer, nullable=False, server_default=text("1")),
    Column("newest_sessions", Integer),
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
    comment="Every figure of every evaluation: of versions on their data, live, and of backtests.",
)

gate_decisions = Table(
    "gate_decisions",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("version_id", Text, ForeignKey(model_versions.c.version_id), primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("opponent", Text),
    Column("decisive", Boolean, nullable=False),
    Column("threshold", Double),
    Column("observed", Double),
    Column("passed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    moment("decided_at", now=True),
    comment="The gate's decision on every rule for every candidate.",
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
    comment="Every change of the version that serves.",
)

predictions = Table(
    "predictions",
    metadata,
    Column("version_id", Text, ForeignKey(model_versions.c.version_id), primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("as_of_date", Date, primary_key=True),
    Column("horizon", Integer, primary_key=True),
    Column("target_date", Date, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("dataset_id", Text, ForeignKey(datasets.c.dataset_id), nullable=False),
    Column("predicted_roi_pct", Double, nullable=False),
    Column("predicted_smoothed_roi_pct", Double, nullable=False),
    Column("lower_80_pct", Double, nullable=False),
    Column("upper_80_pct", Double, nullable=False),
    Column("lower_95_pct", Double, nullable=False),
    Column("upper_95_pct", Double, nullable=False),
    Column("backfill", Boolean, nullable=False),
    moment("created_at", now=True),
    Column("member_spread_pct", Double),
    Column("method", Text, nullable=False, server_default=text("'single_step'")),
    CheckConstraint(
        "CASE WHEN horizon = 1 THEN method = 'single_step' "
        "ELSE method IN ('direct', 'recursive') END",
        name="method",
    ),
    Index("ix_predictions_as_of_date", "as_of_date"),
    Index("ix_predictions_newest", "version_id", "horizon", "as_of_date"),
    Index("ix_predictions_symbol", "symbol", "as_of_date"),
    Index("ix_predictions_target_date", "target_date"),
    comment="Every forecast; a stored one never changes.",
)

for _table in metadata.tables.values():
    for _column in _table.columns:
        _column.comment = _column.comment or COLUMN_COMMENTS[_column.name]
