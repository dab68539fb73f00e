"""The tables of trained versions: their figures, the gate's decisions and their forecasts."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from roi_forecast.database.tables.schema import (
    EMPTY,
    MOMENT,
    NONE,
    as_of_date,
    column,
    dataset_id,
    horizon,
    metadata,
    model_name,
    now,
    nullable,
    number,
    run_id,
    source,
    symbol,
    version_id,
)

model_versions = sa.Table(
    "model_versions",
    metadata,
    column("version_id", sa.Text, "the model version", primary_key=True),
    model_name(),
    column("state", sa.Text, "candidate, champion, retired or rejected"),
    column("fingerprint", sa.Text, "hash of dataset, hyperparameters and seed"),
    column("run_id", sa.Text, "the run that trained it"),
    dataset_id(),
    source(),
    column("symbols", ARRAY(sa.Text), "symbols, in the order of the dataset's columns"),
    column("first_date", sa.Date, "first trading date of its data"),
    column("last_date", sa.Date, "last trading date of its data"),
    column("hyperparameters", JSONB, "the hyperparameters it was trained with"),
    column("metrics", JSONB, "figures of the version, by name", server_default=EMPTY),
    column("seed", sa.Integer, "seed of its random numbers"),
    column("code_revision", sa.Text, "revision of the code that trained it"),
    column("path", sa.Text, "its folder, relative to the registry's folder"),
    column("checksum", sa.Text, "SHA-256 of the manifest, in hexadecimal"),
    now("created_at", "when the row was stored"),
    nullable("files_deleted_at", MOMENT, "when retention deleted its files; null while they exist"),
    column(
        "training_record",
        JSONB,
        "all parameters, libraries, the device, and each member's seed and durations",
        server_default=EMPTY,
    ),
    nullable("damaged_at", MOMENT, "when its files were found damaged, if ever"),
    column(
        "context_symbols",
        ARRAY(sa.Text),
        "symbols of the context assets that inform its forecasts; empty if none",
        server_default=NONE,
    ),
    column(
        "publish",
        sa.Text,
        "after_close: it forecasts once all bars are final; before_open: shortly before an opening",
        server_default=sa.text("'after_close'"),
    ),
    sa.Index("ix_model_versions_fingerprint", "model_name", "fingerprint"),
    sa.Index(
        "uq_model_versions_one_champion_per_model_name",
        "model_name",
        unique=True,
        postgresql_where=sa.text("state = 'champion'"),
    ),
    sa.CheckConstraint("state IN ('candidate', 'champion', 'retired', 'rejected')", name="state"),
    sa.CheckConstraint("publish IN ('after_close', 'before_open')", name="publish"),
    comment="Every trained version; its weights are files.",
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    number(),
    run_id(),
    version_id(comment="the model version; null for a backtest", nullable=True),
    dataset_id(),
    nullable("fold", sa.Integer, "fold of a backtest, from 0; null for all rows together"),
    column("predictor", sa.Text, "the model, its linear part or a baseline, such as zero"),
    column("target", sa.Text, "what is forecast; its name ends in its unit, such as roi_pct"),
    nullable("symbol", sa.Text, "the asset's symbol; null for all assets together"),
    column("split", sa.Text, "train, validation, test, live, backfill or backtest"),
    column("first_date", sa.Date, "first trading date of the rows"),
    column("last_date", sa.Date, "last trading date of the rows"),
    column("rows", sa.Integer, "number of rows"),
    column("metric", sa.Text, "name of the metric"),
    nullable("value", sa.Double, "value of the metric; null if it is undefined"),
    horizon(server_default=sa.text("1")),
    nullable(
        "newest_sessions",
        sa.Integer,
        "number of newest target sessions that count; null for all",
    ),
    sa.UniqueConstraint(
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
    sa.CheckConstraint(
        "split IN ('train', 'validation', 'test', 'live', 'backfill', 'backtest')", name="split"
    ),
    sa.CheckConstraint("(version_id IS NULL) = (split = 'backtest')", name="version_or_backtest"),
    sa.Index("ix_evaluations_version_id", "version_id"),
    # Of thousands of assets, a version has a hundred figures each.
    sa.Index(
        "ix_evaluations_of_all_assets",
        "version_id",
        "split",
        postgresql_where=sa.text("symbol IS NULL AND fold IS NULL"),
    ),
    sa.Index(
        "ix_evaluations_live_sessions",
        "version_id",
        postgresql_where=sa.text("metric = 'sessions' AND split IN ('live', 'backfill')"),
    ),
    comment="Every figure of every evaluation: of versions on their data, live, and of backtests.",
)

gate_decisions = sa.Table(
    "gate_decisions",
    metadata,
    run_id(primary_key=True),
    version_id(primary_key=True),
    column("rule", sa.Text, "rule of the gate; verdict is the decision on all", primary_key=True),
    nullable("opponent", sa.Text, "the version it was compared with; null if none"),
    column("decisive", sa.Boolean, "false: for information only, does not affect the decision"),
    nullable("threshold", sa.Double, "the limit of observed; reason names both"),
    nullable(
        "observed", sa.Double, "what the rule judges: of coverage its distance from the level"
    ),
    column("passed", sa.Boolean, "true: passed"),
    column("reason", sa.Text, "why, in words"),
    now("decided_at", "when the gate decided"),
    sa.Index(
        "ix_gate_decisions_verdict",
        "version_id",
        "decided_at",
        postgresql_where=sa.text("rule = 'verdict'"),
    ),
    comment="The gate's decision on every rule for every candidate.",
)

promotions = sa.Table(
    "promotions",
    metadata,
    number(),
    model_name(),
    version_id(),
    version_id("from_version_id", "the version before; null for the first", nullable=True),
    column("promoted_by", sa.Text, "the person or the run that promoted it"),
    column("reason", sa.Text, "why, in words"),
    now("promoted_at", "when it was promoted"),
    sa.Index("ix_promotions_model_name", "model_name"),
    comment="Every change of the serving version.",
)

predictions = sa.Table(
    "predictions",
    metadata,
    version_id(primary_key=True),
    symbol(primary_key=True),
    as_of_date(primary_key=True),
    horizon(primary_key=True),
    column("target_date", sa.Date, "the session that is forecast"),
    run_id(),
    source(),
    dataset_id(),
    column("predicted_roi_pct", sa.Double, "forecast ROI from as-of to target date, in percent"),
    column(
        "predicted_smoothed_roi_pct",
        sa.Double,
        "the network's own output: mean of the last log ROIs, in percent",
    ),
    column("lower_80_pct", sa.Double, "lower bound of the 80 % interval of the ROI, in percent"),
    column("upper_80_pct", sa.Double, "upper bound of the 80 % interval of the ROI, in percent"),
    column("lower_95_pct", sa.Double, "lower bound of the 95 % interval of the ROI, in percent"),
    column("upper_95_pct", sa.Double, "upper bound of the 95 % interval of the ROI, in percent"),
    column(
        "backfill", sa.Boolean, "true: stored after its asset traded again, or not by the champion"
    ),
    now("created_at", "when the row was stored"),
    nullable(
        "member_spread_pct",
        sa.Double,
        "standard deviation over an ensemble's members, in percent; null for a single network",
    ),
    column(
        "method",
        sa.Text,
        "single_step at horizon 1; direct or recursive at longer horizons",
        server_default=sa.text("'single_step'"),
    ),
    nullable(
        "gap_roi_pct",
        sa.Double,
        "forecast ROI from the as-of close to the next opening, in percent; null beyond it",
    ),
    nullable(
        "open_to_close_roi_pct",
        sa.Double,
        "forecast ROI from that opening to the close, in percent; null where gap_roi_pct is",
    ),
    column(
        "missing_context",
        ARRAY(sa.Text),
        "context assets without a bar that was due; empty if none",
        server_default=NONE,
    ),
    nullable(
        "context",
        JSONB(none_as_null=True),
        "by context asset its move_pct and added_pct, what it adds to the forecast; null beyond "
        "horizon 1",
    ),
    sa.CheckConstraint(
        "(gap_roi_pct IS NULL) = (open_to_close_roi_pct IS NULL) "
        "AND (horizon = 1 OR gap_roi_pct IS NULL)",
        name="parts",
    ),
    sa.CheckConstraint(
        "CASE WHEN horizon = 1 THEN method = 'single_step' "
        "ELSE method IN ('direct', 'recursive') END",
        name="method",
    ),
    sa.Index("ix_predictions_as_of_date", "as_of_date"),
    sa.Index(
        "ix_predictions_next_session",
        "source",
        "symbol",
        "target_date",
        postgresql_where=sa.text("horizon = 1"),
    ),
    sa.Index("ix_predictions_newest", "version_id", "horizon", "as_of_date"),
    sa.Index("ix_predictions_run_id", "run_id"),
    sa.Index("ix_predictions_symbol", "symbol", "as_of_date"),
    sa.Index("ix_predictions_target_date", "target_date"),
    comment="Every forecast; a stored forecast never changes.",
)
