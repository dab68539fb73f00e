"""The tables of trained versions: their figures, the gate's decisions and their forecasts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    Double,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from roi_forecast.database.tables.schema import (
    MOMENT,
    NOW,
    as_of_date,
    column,
    dataset_id,
    horizon,
    metadata,
    model_name,
    run_id,
    source,
    symbol,
    version_id,
)

model_versions = Table(
    "model_versions",
    metadata,
    column("version_id", Text, "the model version", primary_key=True),
    model_name(),
    column("state", Text, "candidate, champion, retired or rejected"),
    column("fingerprint", Text, "hash of dataset, hyperparameters and seed"),
    column("run_id", Text, "the run that trained it"),
    dataset_id(),
    source(),
    column("symbols", ARRAY(Text), "symbols of the assets, in the order of the dataset's columns"),
    column("first_date", Date, "first trading date of its data"),
    column("last_date", Date, "last trading date of its data"),
    column("hyperparameters", JSONB, "the hyperparameters it was trained with"),
    column("metrics", JSONB, "figures of the version, by name", server_default=text("'{}'::jsonb")),
    column("seed", Integer, "seed of its random numbers"),
    column("code_revision", Text, "revision of the code that trained it"),
    column("path", Text, "its folder, relative to the registry's folder"),
    column("checksum", Text, "SHA-256 of the manifest, in hexadecimal"),
    column("created_at", MOMENT, "when the row was stored", server_default=NOW),
    column(
        "files_deleted_at",
        MOMENT,
        "when retention deleted its files; null while they exist",
        nullable=True,
    ),
    column(
        "training_record",
        JSONB,
        "all parameters, libraries, the device, and each member's seed and durations",
        server_default=text("'{}'::jsonb"),
    ),
    column(
        "damaged_at",
        MOMENT,
        "when its files were found damaged; null if they were never found damaged",
        nullable=True,
    ),
    Index("ix_model_versions_fingerprint", "model_name", "fingerprint"),
    Index(
        "uq_model_versions_one_champion_per_model_name",
        "model_name",
        unique=True,
        postgresql_where=text("state = 'champion'"),
    ),
    CheckConstraint("state IN ('candidate', 'champion', 'retired', 'rejected')", name="state"),
    comment="Every trained version; its weights are files.",
)

evaluations = Table(
    "evaluations",
    metadata,
    column("id", BigInteger, "number of the row", Identity(), primary_key=True),
    run_id(),
    version_id(comment="the model version; null for a backtest", nullable=True),
    dataset_id(),
    column(
        "fold", Integer, "fold of a backtest, from 0; null for all rows together", nullable=True
    ),
    column("predictor", Text, "the model or a baseline, such as ridge or zero"),
    column("target", Text, "what is forecast; its name ends in its unit, such as roi_pct"),
    column("symbol", Text, "the asset's symbol; null for all assets together", nullable=True),
    column("split", Text, "train, validation, test, live, backfill or backtest"),
    column("first_date", Date, "first trading date of the rows"),
    column("last_date", Date, "last trading date of the rows"),
    column("rows", Integer, "number of rows"),
    column("metric", Text, "name of the metric"),
    column("value", Double, "value of the metric; null if it is undefined", nullable=True),
    horizon(server_default=text("1")),
    column(
        "newest_sessions",
        Integer,
        "only this many of the newest target sessions count; null for all",
        nullable=True,
    ),
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
    run_id(primary_key=True),
    version_id(primary_key=True),
    column("rule", Text, "the gate's rule; verdict is the decision on all rules", primary_key=True),
    column("opponent", Text, "the version it was compared with; null if none", nullable=True),
    column("decisive", Boolean, "false: for information only, does not affect the decision"),
    column("threshold", Double, "the limit, in the unit of observed", nullable=True),
    column("observed", Double, "the figure compared with the limit, in its unit", nullable=True),
    column("passed", Boolean, "true: passed"),
    column("reason", Text, "why, in words"),
    column("decided_at", MOMENT, "when the gate decided", server_default=NOW),
    comment="The gate's decision on every rule for every candidate.",
)

promotions = Table(
    "promotions",
    metadata,
    column("id", BigInteger, "number of the row", Identity(), primary_key=True),
    model_name(),
    version_id(),
    version_id("from_version_id", "the version before; null for the first", nullable=True),
    column("promoted_by", Text, "the person or the run that promoted it"),
    column("reason", Text, "why, in words"),
    column("promoted_at", MOMENT, "when it was promoted", server_default=NOW),
    Index("ix_promotions_model_name", "model_name"),
    comment="Every change of the serving version.",
)

predictions = Table(
    "predictions",
    metadata,
    version_id(primary_key=True),
    symbol(primary_key=True),
    as_of_date(primary_key=True),
    horizon(primary_key=True),
    column("target_date", Date, "the session that is forecast"),
    run_id(),
    source(),
    dataset_id(),
    column("predicted_roi_pct", Double, "forecast ROI from as-of to target date, in percent"),
    column(
        "predicted_smoothed_roi_pct",
        Double,
        "the network's own output: mean of the last log ROIs, in percent",
    ),
    column("lower_80_pct", Double, "lower bound of the 80 % interval of the ROI, in percent"),
    column("upper_80_pct", Double, "upper bound of the 80 % interval of the ROI, in percent"),
    column("lower_95_pct", Double, "lower bound of the 95 % interval of the ROI, in percent"),
    column("upper_95_pct", Double, "upper bound of the 95 % interval of the ROI, in percent"),
    column(
        "backfill",
        Boolean,
        "true: stored after its target session opened, or by a version that did not serve",
    ),
    column("created_at", MOMENT, "when the row was stored", server_default=NOW),
    column(
        "member_spread_pct",
        Double,
        "standard deviation of predicted_smoothed_roi_pct over an ensemble's members, in percent; "
        "null for a single network",
        nullable=True,
    ),
    column(
        "method",
        Text,
        "single_step at horizon 1; direct or recursive at longer horizons",
        server_default=text("'single_step'"),
    ),
    CheckConstraint(
        "CASE WHEN horizon = 1 THEN method = 'single_step' "
        "ELSE method IN ('direct', 'recursive') END",
        name="method",
    ),
    Index("ix_predictions_as_of_date", "as_of_date"),
    Index("ix_predictions_newest", "version_id", "horizon", "as_of_date"),
    Index("ix_predictions_symbol", "symbol", "as_of_date"),
    Index("ix_predictions_target_date", "target_date"),
    comment="Every forecast; a stored forecast never changes.",
)
