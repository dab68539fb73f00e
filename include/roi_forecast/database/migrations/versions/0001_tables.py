"""The tables of the market database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asset_class", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_assets")),
        schema="roi",
    )
    op.create_table(
        "daily_prices",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("trading_date", sa.Date(), nullable=False),
        sa.Column("open", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("adj_close", sa.Double(), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "symbol", "trading_date", name=op.f("pk_daily_prices")),
        schema="roi",
    )
    op.create_table(
        "datasets",
        sa.Column("dataset_id", sa.Text(), nullable=False, comment="hash of the content"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("symbols", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("as_of_date", sa.Date(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_datasets")),
        schema="roi",
    )
    op.create_table(
        "extractions",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("requested_start", sa.Date(), nullable=False),
        sa.Column("requested_end", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False, comment="rows inserted or changed"),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('ok', 'failed')", name=op.f("ck_extractions_status")),
        sa.PrimaryKeyConstraint("run_id", "symbol", name=op.f("pk_extractions")),
        schema="roi",
    )
    op.create_index(
        "ix_extractions_coverage",
        "extractions",
        ["source", "symbol", "status"],
        unique=False,
        schema="roi",
    )
    op.create_table(
        "price_checks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "symbol",
            sa.Text(),
            nullable=True,
            comment="null where the check is about the whole run",
        ),
        sa.Column(
            "trading_date",
            sa.Date(),
            nullable=True,
            comment="null where the check is about the whole series",
        ),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("observed", sa.Double(), nullable=True),
        sa.Column("allowed", sa.Double(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "severity IN ('warn', 'drop_bar', 'drop_asset', 'stop_run')",
            name=op.f("ck_price_checks_severity"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_checks")),
        schema="roi",
    )
    op.create_index(
        "ix_price_checks_run_id", "price_checks", ["run_id"], unique=False, schema="roi"
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("as_of_date", sa.Date(), nullable=False),
        sa.Column(
            "resolved",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the resolved run, as stages read it",
        ),
        sa.Column(
            "claimed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
        schema="roi",
    )
    op.create_index(
        "uq_runs_one_claim_per_model_name",
        "runs",
        ["model_name"],
        unique=True,
        schema="roi",
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "model_versions",
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="hash of dataset, hyperparameters and seed",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="the run that trained it"),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("symbols", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False, comment="first row of its data"),
        sa.Column("last_date", sa.Date(), nullable=False, comment="last row of its data"),
        sa.Column("hyperparameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "metrics",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("code_revision", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="relative to the registry's folder"),
        sa.Column("checksum", sa.Text(), nullable=False, comment="SHA-256 of its manifest"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('candidate', 'champion', 'retired', 'rejected')",
            name=op.f("ck_model_versions_state"),
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["roi.datasets.dataset_id"], name=op.f("fk_model_versions_dataset_id")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_model_versions")),
        schema="roi",
    )
    op.create_index(
        "ix_model_versions_fingerprint",
        "model_versions",
        ["model_name", "fingerprint"],
        unique=False,
        schema="roi",
    )
    op.create_index(
        "uq_model_versions_one_champion_per_model_name",
        "model_versions",
        ["model_name"],
        unique=True,
        schema="roi",
        postgresql_where=sa.text("state = 'champion'"),
    )
    op.create_table(
        "evaluations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=True),
        sa.Column("predictor", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True, comment="null for all assets together"),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "split IN ('train', 'validation', 'test', 'live')", name=op.f("ck_evaluations_split")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["roi.datasets.dataset_id"], name=op.f("fk_evaluations_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["roi.model_versions.version_id"],
            name=op.f("fk_evaluations_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
        sa.UniqueConstraint(
            "run_id",
            "version_id",
            "fold",
            "predictor",
            "target",
            "symbol",
            "split",
            "metric",
            name="uq_evaluations_one_value",
            postgresql_nulls_not_distinct=True,
        ),
        schema="roi",
    )
    op.create_index(
        "ix_evaluations_version_id", "evaluations", ["version_id"], unique=False, schema="roi"
    )
    op.create_table(
        "gate_decisions",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column(
            "opponent", sa.Text(), nullable=True, comment="version it was compared with, or null"
        ),
        sa.Column(
            "decisive", sa.Boolean(), nullable=False, comment="false: shown, but does not decide"
        ),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("observed", sa.Double(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["roi.model_versions.version_id"],
            name=op.f("fk_gate_decisions_version_id"),
        ),
        sa.PrimaryKeyConstraint("run_id", "version_id", "rule", name=op.f("pk_gate_decisions")),
        schema="roi",
    )
    op.create_table(
        "predictions",
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("as_of_date", sa.Date(), nullable=False),
        sa.Column(
            "horizon", sa.Integer(), nullable=False, comment="reference sessions from as_of_date"
        ),
        sa.Column("target_date", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("predicted_roi_pct", sa.Double(), nullable=False),
        sa.Column("predicted_smoothed_roi_pct", sa.Double(), nullable=False),
        sa.Column("lower_80_pct", sa.Double(), nullable=False),
        sa.Column("upper_80_pct", sa.Double(), nullable=False),
        sa.Column("lower_95_pct", sa.Double(), nullable=False),
        sa.Column("upper_95_pct", sa.Double(), nullable=False),
        sa.Column(
            "backfill", sa.Boolean(), nullable=False, comment="made after its target session opened"
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["roi.datasets.dataset_id"], name=op.f("fk_predictions_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["roi.model_versions.version_id"],
            name=op.f("fk_predictions_version_id"),
        ),
        sa.PrimaryKeyConstraint(
            "version_id", "symbol", "as_of_date", "horizon", name=op.f("pk_predictions")
        ),
        schema="roi",
    )
    op.create_index(
        "ix_predictions_as_of_date", "predictions", ["as_of_date"], unique=False, schema="roi"
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("from_version_id", sa.Text(), nullable=True),
        sa.Column("promoted_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "promoted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["from_version_id"],
            ["roi.model_versions.version_id"],
            name=op.f("fk_promotions_from_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["roi.model_versions.version_id"], name=op.f("fk_promotions_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
        schema="roi",
    )
    op.create_index(
        "ix_promotions_model_name", "promotions", ["model_name"], unique=False, schema="roi"
    )


def downgrade() -> None:
    op.drop_index("ix_promotions_model_name", table_name="promotions", schema="roi")
    op.drop_table("promotions", schema="roi")
    op.drop_index("ix_predictions_as_of_date", table_name="predictions", schema="roi")
    op.drop_table("predictions", schema="roi")
    op.drop_table("gate_decisions", schema="roi")
    op.drop_index("ix_evaluations_version_id", table_name="evaluations", schema="roi")
    op.drop_table("evaluations", schema="roi")
    op.drop_index("ix_model_versions_fingerprint", table_name="model_versions", schema="roi")
    op.drop_index(
        "uq_model_versions_one_champion_per_model_name",
        table_name="model_versions",
        schema="roi",
        postgresql_where=sa.text("state = 'champion'"),
    )
    op.drop_table("model_versions", schema="roi")
    op.drop_index(
        "uq_runs_one_claim_per_model_name",
        table_name="runs",
        schema="roi",
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.drop_table("runs", schema="roi")
    op.drop_index("ix_price_checks_run_id", table_name="price_checks", schema="roi")
    op.drop_table("price_checks", schema="roi")
    op.drop_index("ix_extractions_coverage", table_name="extractions", schema="roi")
    op.drop_table("extractions", schema="roi")
    op.drop_table("datasets", schema="roi")
    op.drop_table("daily_prices", schema="roi")
    op.drop_table("assets", schema="roi")
