-- The scores with the newest target session count, since an old run may have been repeated later.
-- A run stores all figures of a score together, always including `sessions`. The newest run is
-- found from the `sessions` rows alone, a twentieth of all rows.
CREATE VIEW roi.live_skill AS
WITH scored AS (
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
           CASE score.target
               WHEN 'gap_pct' THEN 'gap_'
               WHEN 'open_to_close_pct' THEN 'open_to_close_'
               ELSE ''
           END || score.metric AS metric,
           score.value
    FROM newest_run AS run
    JOIN roi.evaluations AS score
      ON score.run_id = run.run_id
     AND score.version_id = run.stored_version_id
     AND score.fold IS NULL
     AND score.predictor = run.predictor
     AND score.target IN ('roi_pct', 'gap_pct', 'open_to_close_pct')
     AND score.symbol IS NULL
     AND score.split = run.split
     AND score.horizon = run.horizon
     AND score.newest_sessions IS NOT DISTINCT FROM run.newest_sessions
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
GROUP BY model_name, version_id, split, horizon, newest_sessions;

COMMENT ON VIEW roi.live_skill IS
    'Error, skill and coverage of stored forecasts against actual ROIs, with 95 % bounds.';
COMMENT ON COLUMN roi.live_skill.scope IS
    'version: its own forecasts; model_name: those of every version';
COMMENT ON COLUMN roi.live_skill.version_id IS 'the version; null if the scope is model_name';
COMMENT ON COLUMN roi.live_skill.state IS 'state of the version; null if the scope is model_name';
COMMENT ON COLUMN roi.live_skill.first_target_date IS 'first target date that counts';
COMMENT ON COLUMN roi.live_skill.last_target_date IS 'last target date that counts';
COMMENT ON COLUMN roi.live_skill.sessions IS 'number of target sessions counted';
COMMENT ON COLUMN roi.live_skill.mae_pct IS 'mean absolute error of the ROI, in percent';
COMMENT ON COLUMN roi.live_skill.mae_lower_95_pct IS 'lower 95 % bound of mae_pct, in percent';
COMMENT ON COLUMN roi.live_skill.mae_upper_95_pct IS 'upper 95 % bound of mae_pct, in percent';
COMMENT ON COLUMN roi.live_skill.mae_of_zero_pct IS
    'mean absolute error of always forecasting 0, in percent';
COMMENT ON COLUMN roi.live_skill.mae_of_persistence_pct IS
    'mean absolute error of repeating the last ROI, in percent';
COMMENT ON COLUMN roi.live_skill.r2_against_zero IS 'R2 of the ROI, against always forecasting 0';
COMMENT ON COLUMN roi.live_skill.r2_against_zero_lower_95 IS 'lower 95 % bound of r2_against_zero';
COMMENT ON COLUMN roi.live_skill.r2_against_zero_upper_95 IS 'upper 95 % bound of r2_against_zero';
COMMENT ON COLUMN roi.live_skill.r2_against_persistence IS
    'R2 of the ROI, against repeating the last ROI';
COMMENT ON COLUMN roi.live_skill.r2_against_persistence_lower_95 IS
    'lower 95 % bound of r2_against_persistence';
COMMENT ON COLUMN roi.live_skill.r2_against_persistence_upper_95 IS
    'upper 95 % bound of r2_against_persistence';
COMMENT ON COLUMN roi.live_skill.coverage_80 IS 'fraction of outcomes inside the 80 % interval';
COMMENT ON COLUMN roi.live_skill.coverage_80_lower_95 IS
    'lower 95 % bound of coverage_80, a fraction';
COMMENT ON COLUMN roi.live_skill.coverage_80_upper_95 IS
    'upper 95 % bound of coverage_80, a fraction';
COMMENT ON COLUMN roi.live_skill.coverage_95 IS 'fraction of outcomes inside the 95 % interval';
COMMENT ON COLUMN roi.live_skill.coverage_95_lower_95 IS
    'lower 95 % bound of coverage_95, a fraction';
COMMENT ON COLUMN roi.live_skill.coverage_95_upper_95 IS
    'upper 95 % bound of coverage_95, a fraction';
COMMENT ON COLUMN roi.live_skill.directional_accuracy IS
    'fraction of correct signs, where neither ROI is 0';
COMMENT ON COLUMN roi.live_skill.directional_accuracy_lower_95 IS
    'lower 95 % bound of directional_accuracy, a fraction';
COMMENT ON COLUMN roi.live_skill.directional_accuracy_upper_95 IS
    'upper 95 % bound of directional_accuracy, a fraction';
COMMENT ON COLUMN roi.live_skill.gap_r2_against_zero IS
    'R2 of the opening gap in the next session''s ROI, against always forecasting 0';
COMMENT ON COLUMN roi.live_skill.gap_r2_against_zero_lower_95 IS
    'lower 95 % bound of gap_r2_against_zero';
COMMENT ON COLUMN roi.live_skill.gap_r2_against_zero_upper_95 IS
    'upper 95 % bound of gap_r2_against_zero';
COMMENT ON COLUMN roi.live_skill.open_to_close_r2_against_zero IS
    'R2 of the next session''s ROI from opening to close, against always forecasting 0';
COMMENT ON COLUMN roi.live_skill.open_to_close_r2_against_zero_lower_95 IS
    'lower 95 % bound of open_to_close_r2_against_zero';
COMMENT ON COLUMN roi.live_skill.open_to_close_r2_against_zero_upper_95 IS
    'upper 95 % bound of open_to_close_r2_against_zero';
COMMENT ON COLUMN roi.live_skill.missing_context IS
    'number of counted forecasts made without a bar of a context asset that was due';
COMMENT ON COLUMN roi.live_skill.simulated IS 'true: the prices are simulated, not real';
