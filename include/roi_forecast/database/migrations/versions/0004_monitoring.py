"""Watching the champion: checks, drift, live scores by horizon, leakage audits, fit verdicts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ONE_VALUE = (
    "run_id",
    "version_id",
    "fold",
    "predictor",
    "target",
    "symbol",
    "split",
    "metric",
)

# The audit is part of the dataset's manifest, so that files and database say the same.
LEAKAGE_AUDITS = """
CREATE VIEW roi.leakage_audits AS
SELECT dataset.dataset_id,
       dataset.source,
       dataset.source = 'simulated' AS simulated,
       dataset.as_of_date,
       finding.check_name,
       finding.passed,
       finding.observed,
       finding.allowed,
       finding.message
FROM roi.datasets AS dataset
CROSS JOIN LATERAL jsonb_to_recordset(dataset.manifest -> 'leakage_audit') AS finding (
    check_name text,
    passed boolean,
    observed double precision,
    allowed double precision,
    message text
)
"""

# The score of the newest target session counts: a run of the past may have been repeated since.
LIVE_SKILL = """
CREATE VIEW roi.live_skill AS
WITH live AS (
    SELECT version.model_name,
           CASE score.predictor WHEN 'served' THEN NULL ELSE score.version_id END AS version_id,
           CASE score.predictor WHEN 'served' THEN NULL ELSE version.state END AS state,
           version.source,
           score.split,
           score.horizon,
           score.newest_sessions,
           score.first_date,
           score.last_date,
           score.rows,
           score.metric,
           score.value,
           score.id
    FROM roi.evaluations AS score
    JOIN roi.model_versions AS version ON version.version_id = score.version_id
    WHERE score.split IN ('live', 'backfill')
      AND score.predictor IN ('model', 'served')
      AND score.target = 'roi_pct'
      AND score.symbol IS NULL
      AND score.fold IS NULL
),
newest AS (
    SELECT DISTINCT ON (model_name, version_id, split, horizon, newest_sessions, metric) *
    FROM live
    ORDER BY model_name, version_id, split, horizon, newest_sessions, metric, last_date DESC,
             id DESC
)
SELECT model_name,
       CASE WHEN version_id IS NULL THEN 'model_name' ELSE 'version' END AS scope,
       version_id,
       max(state) AS state,
       split,
       horizon,
       newest_sessions,
       max(first_date) AS first_target_date,
       max(last_date) AS last_target_date,
       (max(value) FILTER (WHERE metric = 'sessions'))::integer AS sessions,
       max(rows) AS rows,
       max(value) FILTER (WHERE metric = 'mae') AS mae_pct,
       max(value) FILTER (WHERE metric = 'mae_lower_95') AS mae_lower_95_pct,
       max(value) FILTER (WHERE metric = 'mae_upper_95') AS mae_upper_95_pct,
       max(value) FILTER (WHERE metric = 'mae_of_zero') AS mae_of_zero_pct,
       max(value) FILTER (WHERE metric = 'mae_of_persistence') AS mae_of_persistence_pct,
       max(value) FILTER (WHERE metric = 'r2_against_zero') AS r2_against_zero,
       max(value) FILTER (WHERE metric = 'r2_against_zero_lower_95') AS r2_against_zero_lower_95,
       max(value) FILTER (WHERE metric = 'r2_against_zero_upper_95') AS r2_against_zero_upper_95,
       max(value) FILTER (WHERE metric = 'r2_against_persistence') AS r2_against_persistence,
       max(value) FILTER (WHERE metric = 'r2_against_persistence_lower_95')
           AS r2_against_persistence_lower_95,
       max(value) FILTER (WHERE metric = 'r2_against_persistence_upper_95')
           AS r2_against_persistence_upper_95,
       max(value) FILTER (WHERE metric = 'coverage_80') AS coverage_80,
       max(value) FILTER (WHERE metric = 'coverage_80_lower_95') AS coverage_80_lower_95,
       max(value) FILTER (WHERE metric = 'coverage_80_upper_95') AS coverage_80_upper_95,
       max(value) FILTER (WHERE metric = 'coverage_95') AS coverage_95,
       max(value) FILTER (WHERE metric = 'coverage_95_lower_95') AS coverage_95_lower_95,
       max(value) FILTER (WHERE metric = 'coverage_95_upper_95') AS coverage_95_upper_95,
       max(value) FILTER (WHERE metric = 'directional_accuracy') AS directional_accuracy,
       max(value) FILTER (WHERE metric = 'directional_accuracy_lower_95')
           AS directional_accuracy_lower_95,
       max(value) FILTER (WHERE metric = 'directional_accuracy_upper_95')
           AS directional_accuracy_upper_95,
       max(source) AS source,
       max(source) = 'simulated' AS simulated
FROM newest
GROUP BY model_name, version_id, split, horizon, newest_sessions
"""

# A run of the past that is repeated does not hide what a later one found.
CHAMPION_STATUS = """
CREATE VIEW roi.champion_status AS
WITH newest AS (
    SELECT DISTINCT ON (model_name) model_name, run_id
    FROM roi.champion_checks
    ORDER BY model_name, as_of_date DESC, checked_at DESC
)
SELECT checked.model_name,
       checked.version_id,
       version.state = 'champion' AS serving,
       checked.as_of_date,
       checked.horizon,
       checked.measure,
       checked.scope,
       checked.sessions,
       checked.threshold,
       checked.observed,
       checked.upper_95,
       checked.state,
       checked.reason,
       checked.run_id,
       checked.checked_at,
       version.source,
       version.source = 'simulated' AS simulated
FROM newest
JOIN roi.champion_checks AS checked ON checked.run_id = newest.run_id
JOIN roi.model_versions AS version ON version.version_id = checked.version_id
"""

CHAMPION_ALERTS = """
CREATE VIEW roi.champion_alerts AS
SELECT checked.model_name,
       checked.version_id,
       EXISTS (
           SELECT 1
           FROM roi.champion_status AS status
           WHERE status.run_id = checked.run_id AND status.serving
       ) AS current,
       checked.as_of_date,
       checked.horizon,
       checked.measure,
       checked.scope,
       checked.sessions,
       checked.threshold,
       checked.observed,
       checked.upper_95,
       checked.reason,
       checked.run_id,
       checked.checked_at,
       version.source,
       version.source = 'simulated' AS simulated
FROM roi.champion_checks AS checked
JOIN roi.model_versions AS version ON version.version_id = checked.version_id
WHERE checked.state = 'below'
"""

LATEST_DRIFT = """
CREATE VIEW roi.latest_drift AS
WITH newest AS (
    SELECT DISTINCT ON (model_name) model_name, run_id
    FROM roi.drift
    ORDER BY model_name, as_of_date DESC, measured_at DESC
)
SELECT drift.model_name,
       drift.symbol,
       asset.name,
       drift.drifting,
       drift.wasserstein,
       drift.wasserstein_limit,
       drift.wasserstein_percentile,
       drift.scale_ratio,
       drift.scale_ratio_low,
       drift.scale_ratio_high,
       drift.training_first_date,
       drift.training_last_date,
       drift.window_first_date,
       drift.window_last_date,
       drift.window_rows,
       drift.as_of_date,
       drift.version_id,
       drift.run_id,
       drift.measured_at,
       version.source,
       version.source = 'simulated' AS simulated
FROM newest
JOIN roi.drift AS drift ON drift.run_id = newest.run_id
JOIN roi.model_versions AS version ON version.version_id = drift.version_id
LEFT JOIN roi.assets AS asset ON asset.symbol = drift.symbol
"""

MODEL_LEADERBOARD = """
CREATE VIEW roi.model_leaderboard AS
WITH newest AS (
    SELECT DISTINCT ON (version_id, predictor, target, metric)
           version_id, predictor, target, metric, value
    FROM roi.evaluations
    WHERE split = 'test' AND symbol IS NULL AND fold IS NULL AND horizon = 1
    ORDER BY version_id, predictor, target, metric, id DESC
),
scores AS (
    SELECT version_id,
           max(value) FILTER (WHERE predictor = 'model' AND metric = 'r2') AS r2,
           max(value) FILTER (WHERE predictor = 'noise_limit' AND metric = 'r2')
               AS noise_limit_r2,
           max(value) FILTER (WHERE predictor = 'ridge' AND metric = 'r2') AS ridge_r2,
           max(value) FILTER (WHERE predictor = 'persistence' AND metric = 'r2')
               AS persistence_r2,
           max(value) FILTER (WHERE predictor = 'training_mean' AND metric = 'r2')
               AS training_mean_r2,
           max(value) FILTER (WHERE predictor = 'model' AND metric = 'mae') AS mae,
           max(value) FILTER (WHERE predictor = 'model' AND metric = 'rmse') AS rmse
    FROM newest
    WHERE target = 'smoothed_scaled'
    GROUP BY version_id
),
next_day AS (
    SELECT version_id,
           max(value) FILTER (WHERE metric = 'r2') AS next_day_r2,
           max(value) FILTER (WHERE metric = 'mae') AS next_day_mae_pct,
           max(value) FILTER (WHERE metric = 'directional_accuracy') AS directional_accuracy
    FROM newest
    WHERE target = 'next_day_pct' AND predictor = 'model'
    GROUP BY version_id
)
SELECT version.model_name,
       rank() OVER (PARTITION BY version.model_name ORDER BY scores.r2 DESC NULLS LAST) AS rank,
       version.version_id,
       version.state,
       scores.r2,
       scores.noise_limit_r2,
       scores.ridge_r2,
       scores.persistence_r2,
       scores.training_mean_r2,
       scores.mae,
       scores.rmse,
       next_day.next_day_r2,
       next_day.next_day_mae_pct,
       next_day.directional_accuracy,
       version.hyperparameters ->> 'architecture' AS architecture,
       version.source,
       version.source = 'simulated' AS simulated,
       cardinality(version.symbols) AS assets,
       version.first_date,
       version.last_date,
       version.created_at,
       version.metrics ->> 'fit_verdict' AS fit_verdict,
       version.metrics ->> 'fit_advice' AS fit_advice
FROM roi.model_versions AS version
LEFT JOIN scores ON scores.version_id = version.version_id
LEFT JOIN next_day ON next_day.version_id = version.version_id
"""

# As migration 0002 made it.
MODEL_LEADERBOARD_BEFORE = MODEL_LEADERBOARD.replace(" AND horizon = 1", "").replace(
    """,
       version.metrics ->> 'fit_verdict' AS fit_verdict,
       version.metrics ->> 'fit_advice' AS fit_advice""",
    "",
)

NEW_VIEWS = {
    "leakage_audits": LEAKAGE_AUDITS,
    "live_skill": LIVE_SKILL,
    "champion_status": CHAMPION_STATUS,
    "champion_alerts": CHAMPION_ALERTS,
    "latest_drift": LATEST_DRIFT,
}


def upgrade() -> None:
    _add_horizons_to_evaluations()
    _create_champion_checks()
    _create_drift()
    op.execute("DROP VIEW roi.model_leaderboard")
    for name, statement in {**NEW_VIEWS, "model_leaderboard": MODEL_LEADERBOARD}.items():
        op.execute(statement)
        op.execute(f"GRANT SELECT ON roi.{name} TO roi_reader")


def downgrade() -> None:
    for name in ("model_leaderboard", *reversed(NEW_VIEWS)):
        op.execute(f"DROP VIEW roi.{name}")
    op.drop_table("drift", schema="roi")
    op.drop_table("champion_checks", schema="roi")
    op.execute(
        "DELETE FROM roi.evaluations "
        "WHERE split = 'backfill' OR horizon <> 1 OR newest_sessions IS NOT NULL"
    )
    _replace_evaluation_constraints(("train", "validation", "test", "live"), _ONE_VALUE)
    op.drop_column("evaluations", "newest_sessions", schema="roi")
    op.drop_column("evaluations", "horizon", schema="roi")
    op.execute(MODEL_LEADERBOARD_BEFORE)
    op.execute("GRANT SELECT ON roi.model_leaderboard TO roi_reader")


def _add_horizons_to_evaluations() -> None:
    op.add_column(
        "evaluations",
        sa.Column(
            "horizon",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="reference sessions from the as-of to the target date",
        ),
        schema="roi",
    )
    op.add_column(
        "evaluations",
        sa.Column(
            "newest_sessions",
            sa.Integer(),
            nullable=True,
            comment="only so many target sessions, the newest, are counted; null for all",
        ),
        schema="roi",
    )
    _replace_evaluation_constraints(
        ("train", "validation", "test", "live", "backfill"),
        (*_ONE_VALUE, "horizon", "newest_sessions"),
    )


def _replace_evaluation_constraints(splits: tuple[str, ...], unique: tuple[str, ...]) -> None:
    op.drop_constraint("uq_evaluations_one_value", "evaluations", schema="roi")
    op.create_unique_constraint(
        "uq_evaluations_one_value",
        "evaluations",
        list(unique),
        schema="roi",
        postgresql_nulls_not_distinct=True,
    )
    op.drop_constraint(op.f("ck_evaluations_split"), "evaluations", schema="roi")
    allowed = ", ".join(f"'{split}'" for split in splits)
    op.create_check_constraint(
        op.f("ck_evaluations_split"), "evaluations", f"split IN ({allowed})", schema="roi"
    )


def _create_champion_checks() -> None:
    op.create_table(
        "champion_checks",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column(
            "horizon", sa.Integer(), nullable=False, comment="reference sessions from as_of_date"
        ),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False, comment="the champion"),
        sa.Column("as_of_date", sa.Date(), nullable=False, comment="last target date that counts"),
        sa.Column(
            "scope",
            sa.Text(),
            nullable=False,
            comment="version: its own forecasts; model_name: whatever served under the name",
        ),
        sa.Column("sessions", sa.Integer(), nullable=False, comment="target sessions counted"),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("observed", sa.Double(), nullable=True),
        sa.Column(
            "upper_95",
            sa.Double(),
            nullable=True,
            comment="upper bound of observed; below the threshold is reported",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "scope IN ('version', 'model_name')", name=op.f("ck_champion_checks_scope")
        ),
        sa.CheckConstraint(
            "state IN ('kept', 'below', 'too_few')", name=op.f("ck_champion_checks_state")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["roi.model_versions.version_id"],
            name=op.f("fk_champion_checks_version_id"),
        ),
        sa.PrimaryKeyConstraint("run_id", "horizon", "measure", name=op.f("pk_champion_checks")),
        schema="roi",
    )
    op.create_index(
        "ix_champion_checks_model_name",
        "champion_checks",
        ["model_name", "checked_at"],
        unique=False,
        schema="roi",
    )


def _create_drift() -> None:
    op.create_table(
        "drift",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False, comment="the champion"),
        sa.Column("as_of_date", sa.Date(), nullable=False),
        sa.Column("training_first_date", sa.Date(), nullable=False),
        sa.Column("training_last_date", sa.Date(), nullable=False),
        sa.Column("window_first_date", sa.Date(), nullable=False),
        sa.Column("window_last_date", sa.Date(), nullable=False),
        sa.Column(
            "window_rows",
            sa.Integer(),
            nullable=False,
            comment="rows with a bar in the newest window",
        ),
        sa.Column(
            "wasserstein",
            sa.Double(),
            nullable=True,
            comment="distance of the log ROI in standard deviations of the training rows",
        ),
        sa.Column(
            "wasserstein_limit",
            sa.Double(),
            nullable=True,
            comment="what earlier windows seldom exceeded",
        ),
        sa.Column(
            "wasserstein_percentile",
            sa.Double(),
            nullable=True,
            comment="share of earlier windows that lay closer",
        ),
        sa.Column(
            "scale_ratio",
            sa.Double(),
            nullable=True,
            comment="standard deviation, newest window over training rows",
        ),
        sa.Column(
            "scale_ratio_low",
            sa.Double(),
            nullable=True,
            comment="what earlier windows seldom fell below",
        ),
        sa.Column(
            "scale_ratio_high",
            sa.Double(),
            nullable=True,
            comment="what earlier windows seldom exceeded",
        ),
        sa.Column("drifting", sa.Boolean(), nullable=False),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["roi.model_versions.version_id"],
            name=op.f("fk_drift_version_id"),
        ),
        sa.PrimaryKeyConstraint("run_id", "symbol", name=op.f("pk_drift")),
        schema="roi",
    )
    op.create_index(
        "ix_drift_model_name", "drift", ["model_name", "measured_at"], unique=False, schema="roi"
    )
