-- The newest as-of date comes first, so that repeating an old run does not hide a later result.
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
JOIN roi.model_versions AS version ON version.version_id = checked.version_id;

COMMENT ON VIEW roi.champion_status IS
    'Every check of the champion in the newest run of each model name.';
COMMENT ON COLUMN roi.champion_status.version_id IS 'the champion that was checked';
COMMENT ON COLUMN roi.champion_status.serving IS 'true: the version serves now';
COMMENT ON COLUMN roi.champion_status.as_of_date IS 'last target date that counts';
COMMENT ON COLUMN roi.champion_status.state IS 'passed, below or too_few';
COMMENT ON COLUMN roi.champion_status.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.champion_status.simulated IS 'true: the prices are simulated, not real';
