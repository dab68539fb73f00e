CREATE OR REPLACE VIEW roi.latest_drift AS
WITH newest AS (
    SELECT DISTINCT ON (model_name) model_name, run_id
    FROM roi.drift
    ORDER BY model_name, as_of_date DESC, measured_at DESC
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
LEFT JOIN roi.assets AS asset ON asset.symbol = drift.symbol
