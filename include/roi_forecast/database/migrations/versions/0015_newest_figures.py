"""What drift and live scores were found last, without reading what every run before found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

LATEST_DRIFT = """
CREATE OR REPLACE VIEW roi.latest_drift AS
{newest}SELECT drift.model_name,
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

# Measured with 5,000 assets x 750 runs (benchmarks/speed.md): sorting the drift of all runs to find
# the newest of each model name took 2.8 s.
NEWEST_DRIFT = """WITH newest AS (
    SELECT names.model_name, measured.run_id
    FROM (SELECT DISTINCT model_name FROM roi.model_versions) AS names
    CROSS JOIN LATERAL (
        SELECT drift.run_id
        FROM roi.drift AS drift
        WHERE drift.model_name = names.model_name
        ORDER BY drift.as_of_date DESC, drift.measured_at DESC
        LIMIT 1
    ) AS measured
)
"""

FORMER_NEWEST_DRIFT = """WITH newest AS (
    SELECT DISTINCT ON (model_name) model_name, run_id
    FROM roi.drift
    ORDER BY model_name, as_of_date DESC, measured_at DESC
)
"""

LIVE_SKILL = """
CREATE OR REPLACE VIEW roi.live_skill AS
{newest}SELECT model_name,
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

# A run stores all figures of a score together, its sessions always among them. The newest run is
# found among those alone, a twentieth of the rows, and the other figures are then that run's.
NEWEST_SCORES = """WITH scored AS (
    SELECT version.model_name,
           CASE score.predictor WHEN 'served' THEN NULL ELSE score.version_id END AS version_id,
           CASE score.predictor WHEN 'served' THEN NULL ELSE version.state END AS state,
           version.source,
           score.run_id,
           score.version_id AS stored_version_id,
           score.predictor,
           score.split,
           score.horizon,
           score.newest_sessions,
           score.last_date,
           score.id
    FROM roi.evaluations AS score
    JOIN roi.model_versions AS version ON version.version_id = score.version_id
    WHERE score.split IN ('live', 'backfill')
      AND score.predictor IN ('model', 'served')
      AND score.target = 'roi_pct'
      AND score.symbol IS NULL
      AND score.fold IS NULL
      AND score.metric = 'sessions'
),
newest_run AS (
    SELECT DISTINCT ON (model_name, version_id, split, horizon, newest_sessions) *
    FROM scored
    ORDER BY model_name, version_id, split, horizon, newest_sessions, last_date DESC, id DESC
),
newest AS (
    SELECT run.model_name,
           run.version_id,
           run.state,
           run.source,
           score.split,
           score.horizon,
           score.newest_sessions,
           score.first_date,
           score.last_date,
           score.rows,
           score.metric,
           score.value
    FROM newest_run AS run
    JOIN roi.evaluations AS score
      ON score.run_id = run.run_id
     AND score.version_id = run.stored_version_id
     AND score.fold IS NULL
     AND score.predictor = run.predictor
     AND score.target = 'roi_pct'
     AND score.symbol IS NULL
     AND score.split = run.split
     AND score.horizon = run.horizon
     AND score.newest_sessions IS NOT DISTINCT FROM run.newest_sessions
)
"""

FORMER_NEWEST_SCORES = """WITH live AS (
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
"""

DRIFT_INDEX = "ix_drift_model_name"
SCORES_INDEX = "ix_evaluations_live_sessions"


def upgrade() -> None:
    op.drop_index(DRIFT_INDEX, table_name="drift", schema="roi")
    op.create_index(DRIFT_INDEX, "drift", ["model_name", "as_of_date", "measured_at"], schema="roi")
    op.create_index(
        SCORES_INDEX,
        "evaluations",
        ["version_id"],
        schema="roi",
        postgresql_where=sa.text("metric = 'sessions' AND split IN ('live', 'backfill')"),
    )
    op.execute(LATEST_DRIFT.format(newest=NEWEST_DRIFT))
    op.execute(LIVE_SKILL.format(newest=NEWEST_SCORES))


def downgrade() -> None:
    op.execute(LIVE_SKILL.format(newest=FORMER_NEWEST_SCORES))
    op.execute(LATEST_DRIFT.format(newest=FORMER_NEWEST_DRIFT))
    op.drop_index(SCORES_INDEX, table_name="evaluations", schema="roi")
    op.drop_index(DRIFT_INDEX, table_name="drift", schema="roi")
    op.create_index(DRIFT_INDEX, "drift", ["model_name", "measured_at"], schema="roi")
