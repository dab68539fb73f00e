-- The newest as-of date comes first, so that repeating an old run does not hide a later result.
CREATE VIEW roi.champion_checks AS
WITH newest AS (
    SELECT DISTINCT ON (model_name) run_id
    FROM roi.live_checks
    ORDER BY model_name, as_of_date DESC, checked_at DESC
)
SELECT checked.model_name,
       checked.version_id,
       version.state = 'champion' AS serving,
       newest.run_id IS NOT NULL AS newest,
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
FROM roi.live_checks AS checked
JOIN roi.model_versions AS version ON version.version_id = checked.version_id
LEFT JOIN newest ON newest.run_id = checked.run_id;

COMMENT ON VIEW roi.champion_checks IS
    'Every check of a champion''s live figures against their limits.';
COMMENT ON COLUMN roi.champion_checks.version_id IS 'the champion that was checked';
COMMENT ON COLUMN roi.champion_checks.serving IS 'true: the version serves now';
COMMENT ON COLUMN roi.champion_checks.newest IS
    'true: from the newest checked session of its model name';
COMMENT ON COLUMN roi.champion_checks.as_of_date IS 'last target date that counts';
COMMENT ON COLUMN roi.champion_checks.state IS 'passed, below or too_few';
COMMENT ON COLUMN roi.champion_checks.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.champion_checks.simulated IS 'true: the prices are simulated, not real';
