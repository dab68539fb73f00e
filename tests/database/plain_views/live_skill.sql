CREATE OR REPLACE VIEW roi.live_skill AS
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
           CASE score.target
               WHEN 'gap_pct' THEN 'gap_'
               WHEN 'open_to_close_pct' THEN 'open_to_close_'
               ELSE ''
           END || score.metric AS metric,
           score.value,
           score.id
    FROM roi.evaluations AS score
    JOIN roi.model_versions AS version ON version.version_id = score.version_id
    WHERE score.split IN ('live', 'backfill')
      AND score.predictor IN ('model', 'served')
      AND score.target IN ('roi_pct', 'gap_pct', 'open_to_close_pct')
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
       max(value) FILTER (WHERE metric = 'gap_r2_against_zero') AS gap_r2_against_zero,
       max(value) FILTER (WHERE metric = 'gap_r2_against_zero_lower_95')
           AS gap_r2_against_zero_lower_95,
       max(value) FILTER (WHERE metric = 'gap_r2_against_zero_upper_95')
           AS gap_r2_against_zero_upper_95,
       max(value) FILTER (WHERE metric = 'open_to_close_r2_against_zero')
           AS open_to_close_r2_against_zero,
       max(value) FILTER (WHERE metric = 'open_to_close_r2_against_zero_lower_95')
           AS open_to_close_r2_against_zero_lower_95,
       max(value) FILTER (WHERE metric = 'open_to_close_r2_against_zero_upper_95')
           AS open_to_close_r2_against_zero_upper_95,
       (max(value) FILTER (WHERE metric = 'missing_context'))::integer AS missing_context,
       max(source) AS source,
       max(source) = 'simulated' AS simulated
FROM newest
GROUP BY model_name, version_id, split, horizon, newest_sessions
