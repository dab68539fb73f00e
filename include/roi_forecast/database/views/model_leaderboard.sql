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
           max(value) FILTER (WHERE predictor = 'linear' AND metric = 'r2') AS linear_r2,
           max(value) FILTER (WHERE predictor = 'persistence' AND metric = 'r2')
               AS persistence_r2,
           max(value) FILTER (WHERE predictor = 'zero' AND metric = 'r2') AS zero_r2,
           max(value) FILTER (WHERE predictor = 'model' AND metric = 'mae') AS mae,
           max(value) FILTER (WHERE predictor = 'model' AND metric = 'rmse') AS rmse
    FROM newest
    WHERE target = 'smoothed_scaled'
    GROUP BY version_id
),
next_day AS (
    SELECT version_id,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero')
               AS next_day_r2_against_zero,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero_lower_95')
               AS next_day_r2_against_zero_lower_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero_upper_95')
               AS next_day_r2_against_zero_upper_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero_t')
               AS next_day_r2_against_zero_t,
           max(value) FILTER (WHERE target = 'gap_pct' AND metric = 'r2_against_zero')
               AS gap_r2_against_zero,
           max(value) FILTER (WHERE target = 'gap_pct' AND metric = 'r2_against_zero_t')
               AS gap_r2_against_zero_t,
           max(value) FILTER (WHERE target = 'open_to_close_pct' AND metric = 'r2_against_zero')
               AS open_to_close_r2_against_zero,
           max(value) FILTER (WHERE target = 'open_to_close_pct' AND metric = 'r2_against_zero_t')
               AS open_to_close_r2_against_zero_t,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_gain_over_linear')
               AS network_r2_gain,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_gain_over_linear_lower_95')
               AS network_r2_gain_lower_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_gain_over_linear_upper_95')
               AS network_r2_gain_upper_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'rank_correlation')
               AS rank_correlation,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'rank_correlation_t')
               AS rank_correlation_t,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'mae')
               AS next_day_mae_pct,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'directional_accuracy')
               AS directional_accuracy,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'coverage_80')
               AS coverage_80,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'coverage_95')
               AS coverage_95
    FROM newest
    WHERE target IN ('next_day_pct', 'gap_pct', 'open_to_close_pct') AND predictor = 'model'
    GROUP BY version_id
)
SELECT version.model_name,
       rank() OVER (PARTITION BY version.model_name ORDER BY scores.r2 DESC NULLS LAST) AS rank,
       version.version_id,
       version.state,
       scores.r2,
       scores.no_skill_r2,
       scores.linear_r2,
       scores.persistence_r2,
       scores.zero_r2,
       scores.mae,
       scores.rmse,
       next_day.next_day_r2_against_zero,
       next_day.next_day_r2_against_zero_lower_95,
       next_day.next_day_r2_against_zero_upper_95,
       next_day.next_day_r2_against_zero_t,
       next_day.gap_r2_against_zero,
       next_day.gap_r2_against_zero_t,
       next_day.open_to_close_r2_against_zero,
       next_day.open_to_close_r2_against_zero_t,
       next_day.network_r2_gain,
       next_day.network_r2_gain_lower_95,
       next_day.network_r2_gain_upper_95,
       (version.metrics ->> 'network_factor')::double precision AS network_factor,
       next_day.rank_correlation,
       next_day.rank_correlation_t,
       next_day.next_day_mae_pct,
       next_day.directional_accuracy,
       next_day.coverage_80,
       next_day.coverage_95,
       version.hyperparameters ->> 'architecture' AS architecture,
       version.source,
       version.source = 'simulated' AS simulated,
       cardinality(version.symbols) AS assets,
       version.first_date,
       version.last_date,
       version.created_at,
       version.metrics ->> 'fit_verdict' AS fit_verdict,
       version.metrics ->> 'fit_advice' AS fit_advice,
       version.context_symbols,
       version.publish
FROM roi.model_versions AS version
LEFT JOIN scores ON scores.version_id = version.version_id
LEFT JOIN next_day ON next_day.version_id = version.version_id;

COMMENT ON VIEW roi.model_leaderboard IS
    'Every version with its test scores next to the baselines, ranked within its model name.';
COMMENT ON COLUMN roi.model_leaderboard.rank IS '1 for the best; ties share a rank';
COMMENT ON COLUMN roi.model_leaderboard.version_id IS 'the model version';
COMMENT ON COLUMN roi.model_leaderboard.r2 IS 'R2 of the scaled smoothed ROI on test rows';
COMMENT ON COLUMN roi.model_leaderboard.no_skill_r2 IS
    'R2 of knowing everything except the next session''s ROI, for which it takes the training mean';
COMMENT ON COLUMN roi.model_leaderboard.linear_r2 IS
    'R2 of the version''s linear part, without its network';
COMMENT ON COLUMN roi.model_leaderboard.persistence_r2 IS 'R2 of repeating the last value';
COMMENT ON COLUMN roi.model_leaderboard.zero_r2 IS
    'R2 of knowing everything except the next session''s ROI, for which it takes 0';
COMMENT ON COLUMN roi.model_leaderboard.mae IS
    'mean absolute error of the scaled smoothed ROI, unitless';
COMMENT ON COLUMN roi.model_leaderboard.rmse IS
    'root mean squared error of the scaled smoothed ROI, unitless';
COMMENT ON COLUMN roi.model_leaderboard.next_day_r2_against_zero IS
    'R2 of the next-day ROI on test rows, against always forecasting 0';
COMMENT ON COLUMN roi.model_leaderboard.next_day_r2_against_zero_lower_95 IS
    'lower 95 % bound of next_day_r2_against_zero';
COMMENT ON COLUMN roi.model_leaderboard.next_day_r2_against_zero_upper_95 IS
    'upper 95 % bound of next_day_r2_against_zero';
COMMENT ON COLUMN roi.model_leaderboard.next_day_r2_against_zero_t IS
    'next_day_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.model_leaderboard.gap_r2_against_zero IS
    'R2 of the opening gap in the next session''s ROI, against always forecasting 0';
COMMENT ON COLUMN roi.model_leaderboard.gap_r2_against_zero_t IS
    'gap_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.model_leaderboard.open_to_close_r2_against_zero IS
    'R2 of the next session''s ROI from opening to close, against always forecasting 0';
COMMENT ON COLUMN roi.model_leaderboard.open_to_close_r2_against_zero_t IS
    'open_to_close_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.model_leaderboard.network_r2_gain IS
    'what the network adds to next_day_r2_against_zero of the version''s linear part';
COMMENT ON COLUMN roi.model_leaderboard.network_r2_gain_lower_95 IS
    'lower 95 % bound of network_r2_gain';
COMMENT ON COLUMN roi.model_leaderboard.network_r2_gain_upper_95 IS
    'upper 95 % bound of network_r2_gain';
COMMENT ON COLUMN roi.model_leaderboard.network_factor IS
    'share of what the network adds to the linear part that is published, from 0 to 1';
COMMENT ON COLUMN roi.model_leaderboard.rank_correlation IS
    'mean over test sessions of the rank correlation of forecast and actual ROIs';
COMMENT ON COLUMN roi.model_leaderboard.rank_correlation_t IS
    'rank_correlation over its standard error';
COMMENT ON COLUMN roi.model_leaderboard.next_day_mae_pct IS
    'mean absolute error of the next-day ROI, in percent';
COMMENT ON COLUMN roi.model_leaderboard.directional_accuracy IS
    'fraction of correct signs, where neither ROI is 0';
COMMENT ON COLUMN roi.model_leaderboard.coverage_80 IS
    'fraction of test outcomes inside the 80 % interval';
COMMENT ON COLUMN roi.model_leaderboard.coverage_95 IS
    'fraction of test outcomes inside the 95 % interval';
COMMENT ON COLUMN roi.model_leaderboard.architecture IS 'architecture of the network';
COMMENT ON COLUMN roi.model_leaderboard.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.model_leaderboard.assets IS 'number of assets';
COMMENT ON COLUMN roi.model_leaderboard.first_date IS 'first trading date of the rows';
COMMENT ON COLUMN roi.model_leaderboard.last_date IS 'last trading date of the rows';
COMMENT ON COLUMN roi.model_leaderboard.fit_verdict IS
    'whether the version overfits, underfits or neither';
COMMENT ON COLUMN roi.model_leaderboard.fit_advice IS 'which parameter to change';
