"""The views people read, and the role that may read nothing else."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LATEST_PREDICTIONS = """
CREATE VIEW roi.latest_predictions AS
SELECT version.model_name,
       prediction.symbol,
       asset.name,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.predicted_roi_pct,
       prediction.lower_80_pct,
       prediction.upper_80_pct,
       prediction.lower_95_pct,
       prediction.upper_95_pct,
       prediction.predicted_smoothed_roi_pct,
       (version.metrics ->> 'next_day_r2')::double precision AS version_next_day_r2,
       (version.metrics ->> 'directional_accuracy')::double precision
           AS version_directional_accuracy,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.version_id,
       prediction.created_at
FROM roi.model_versions AS version
JOIN LATERAL (
    SELECT max(newest.as_of_date) AS as_of_date
    FROM roi.predictions AS newest
    WHERE newest.version_id = version.version_id AND newest.horizon = 1
) AS newest ON true
JOIN roi.predictions AS prediction
  ON prediction.version_id = version.version_id
 AND prediction.as_of_date = newest.as_of_date
 AND prediction.horizon = 1
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol
WHERE version.state = 'champion'
"""

# A price is carried to a date that has no bar. An outcome is known once the asset itself has a bar
# on or after the target date, so that a late extraction never looks like a holiday.
PREDICTION_OUTCOMES = """
CREATE VIEW roi.prediction_outcomes AS
SELECT version.model_name,
       prediction.symbol,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.predicted_roi_pct,
       outcome.realised_roi_pct,
       outcome.realised_roi_pct - prediction.predicted_roi_pct AS error_pct,
       CASE WHEN prediction.predicted_roi_pct = 0 OR outcome.realised_roi_pct = 0 THEN NULL
            ELSE sign(prediction.predicted_roi_pct) = sign(outcome.realised_roi_pct)
       END AS direction_hit,
       outcome.realised_roi_pct BETWEEN prediction.lower_80_pct AND prediction.upper_80_pct
           AS inside_80,
       outcome.realised_roi_pct BETWEEN prediction.lower_95_pct AND prediction.upper_95_pct
           AS inside_95,
       at_target.trading_date < prediction.target_date AS filled_target,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.version_id,
       prediction.created_at
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version ON version.version_id = prediction.version_id
JOIN LATERAL (
    SELECT price.adj_close
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date <= prediction.as_of_date
    ORDER BY price.trading_date DESC
    LIMIT 1
) AS at_start ON true
JOIN LATERAL (
    SELECT price.adj_close, price.trading_date
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date <= prediction.target_date
    ORDER BY price.trading_date DESC
    LIMIT 1
) AS at_target ON true
CROSS JOIN LATERAL (
    SELECT 100 * (at_target.adj_close / at_start.adj_close - 1) AS realised_roi_pct
) AS outcome
WHERE EXISTS (
    SELECT 1
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date >= prediction.target_date
)
"""

MODEL_LEADERBOARD = """
CREATE VIEW roi.model_leaderboard AS
WITH newest AS (
    SELECT DISTINCT ON (version_id, predictor, target, metric)
           version_id, predictor, target, metric, value
    FROM roi.evaluations
    WHERE split = 'test' AND symbol IS NULL AND fold IS NULL
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
       version.created_at
FROM roi.model_versions AS version
LEFT JOIN scores ON scores.version_id = version.version_id
LEFT JOIN next_day ON next_day.version_id = version.version_id
"""

CHAMPION_HISTORY = """
CREATE VIEW roi.champion_history AS
SELECT promotion.model_name,
       promotion.version_id,
       promotion.promoted_at AS served_from,
       lead(promotion.promoted_at) OVER by_name AS served_until,
       promotion.from_version_id,
       promotion.promoted_by,
       promotion.reason,
       version.source,
       version.source = 'simulated' AS simulated
FROM roi.promotions AS promotion
JOIN roi.model_versions AS version ON version.version_id = promotion.version_id
WINDOW by_name AS (PARTITION BY promotion.model_name ORDER BY promotion.id)
"""

# Roles belong to the whole server: another database on it may be migrating at the same moment.
CREATE_READER = """
DO $$
BEGIN
    CREATE ROLE roi_reader NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$
"""

VIEWS = ("latest_predictions", "prediction_outcomes", "model_leaderboard", "champion_history")


def upgrade() -> None:
    for statement in (
        LATEST_PREDICTIONS,
        PREDICTION_OUTCOMES,
        MODEL_LEADERBOARD,
        CHAMPION_HISTORY,
        CREATE_READER,
    ):
        op.execute(statement)
    op.execute("GRANT USAGE ON SCHEMA roi TO roi_reader")
    for view in VIEWS:
        op.execute(f"GRANT SELECT ON roi.{view} TO roi_reader")


def downgrade() -> None:
    op.execute("REVOKE USAGE ON SCHEMA roi FROM roi_reader")
    for view in reversed(VIEWS):
        op.execute(f"DROP VIEW roi.{view}")
