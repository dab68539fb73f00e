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
WHERE checked.state = 'below';

COMMENT ON VIEW roi.champion_alerts IS
    'Every check that ever found a champion below its limit.';
COMMENT ON COLUMN roi.champion_alerts.version_id IS 'the champion that was checked';
COMMENT ON COLUMN roi.champion_alerts.current IS
    'true: the newest check still says so, and the version serves';
COMMENT ON COLUMN roi.champion_alerts.as_of_date IS 'last target date that counts';
COMMENT ON COLUMN roi.champion_alerts.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.champion_alerts.simulated IS 'true: the prices are simulated, not real';
