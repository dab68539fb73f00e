CREATE VIEW roi.latest_forecast_path AS
SELECT version.model_name,
       prediction.symbol,
       asset.name,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.method,
       prediction.predicted_roi_pct,
       prediction.gap_roi_pct,
       prediction.open_to_close_roi_pct,
       prediction.lower_80_pct,
       prediction.upper_80_pct,
       prediction.lower_95_pct,
       prediction.upper_95_pct,
       prediction.predicted_smoothed_roi_pct,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.missing_context,
       prediction.version_id,
       prediction.created_at
FROM roi.model_versions AS version
JOIN LATERAL (
    SELECT max(newest.as_of_date) AS as_of_date
    FROM roi.predictions AS newest
    WHERE newest.version_id = version.version_id
      AND newest.horizon = 1
      AND newest.as_of_date >= version.last_date
) AS newest ON true
JOIN roi.predictions AS prediction
  ON prediction.version_id = version.version_id
 AND prediction.as_of_date = newest.as_of_date
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol
WHERE version.state = 'champion';

COMMENT ON VIEW roi.latest_forecast_path IS
    'Newest forecasts of each serving champion at all horizons.';
COMMENT ON COLUMN roi.latest_forecast_path.simulated IS 'true: the prices are simulated, not real';
