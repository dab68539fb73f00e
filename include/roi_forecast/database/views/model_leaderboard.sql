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
           max(value) FILTER (WHERE predictor = 'no_skill' AND metric = 'r2')
               AS no_skill_r2,
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
       scores.no_skill_r2,
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
LEFT JOIN next_day ON next_day.version_id = version.version_id;

COMMENT ON VIEW roi.model_leaderboard IS
    'Every version with its test scores next to the baselines, ranked within its model name.';
COMMENT ON COLUMN roi.model_leaderboard.rank IS '1 for the best; ties share a rank';
COMMENT ON COLUMN roi.model_leaderboard.version_id IS 'the model version';
COMMENT ON COLUMN roi.model_leaderboard.r2 IS 'R2 of the scaled smoothed ROI on test rows';
COMMENT ON COLUMN roi.model_leaderboard.no_skill_r2 IS
    'R2 of an oracle that knows everything except the next session''s ROI';
COMMENT ON COLUMN roi.model_leaderboard.ridge_r2 IS 'R2 of a ridge regression on the same inputs';
COMMENT ON COLUMN roi.model_leaderboard.persistence_r2 IS 'R2 of repeating the last value';
COMMENT ON COLUMN roi.model_leaderboard.training_mean_r2 IS
    'R2 of always forecasting the mean of the training rows';
COMMENT ON COLUMN roi.model_leaderboard.mae IS
    'mean absolute error of the scaled smoothed ROI, unitless';
COMMENT ON COLUMN roi.model_leaderboard.rmse IS
    'root mean squared error of the scaled smoothed ROI, unitless';
COMMENT ON COLUMN roi.model_leaderboard.next_day_r2 IS
    'R2 of the next-day ROI on test rows, against their mean';
COMMENT ON COLUMN roi.model_leaderboard.next_day_mae_pct IS
    'mean absolute error of the next-day ROI, in percent';
COMMENT ON COLUMN roi.model_leaderboard.directional_accuracy IS
    'fraction of correct signs, where neither ROI is 0';
COMMENT ON COLUMN roi.model_leaderboard.architecture IS 'architecture of the network';
COMMENT ON COLUMN roi.model_leaderboard.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.model_leaderboard.assets IS 'number of assets';
COMMENT ON COLUMN roi.model_leaderboard.first_date IS 'first trading date of the rows';
COMMENT ON COLUMN roi.model_leaderboard.last_date IS 'last trading date of the rows';
COMMENT ON COLUMN roi.model_leaderboard.fit_verdict IS
    'whether the version overfits, underfits or neither';
COMMENT ON COLUMN roi.model_leaderboard.fit_advice IS 'which parameter to change';
