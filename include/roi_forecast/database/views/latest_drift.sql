-- One lookup per model name: sorting the drift of all runs took 2.8 s with 5,000 assets and 750
-- runs (benchmarks/speed.md).
CREATE VIEW roi.latest_drift AS
WITH newest AS (
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
LEFT JOIN roi.assets AS asset ON asset.symbol = drift.symbol;

COMMENT ON VIEW roi.latest_drift IS
    'Distance of each asset''s newest log ROIs from the champion''s training rows.';
COMMENT ON COLUMN roi.latest_drift.version_id IS 'the champion';
COMMENT ON COLUMN roi.latest_drift.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.latest_drift.simulated IS 'true: the prices are simulated, not real';
