CREATE VIEW roi.published_forecasts AS
SELECT version.model_name,
       prediction.symbol,
       asset.name,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
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
       prediction.context,
       prediction.version_id,
       prediction.run_id,
       prediction.created_at
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version
  ON version.version_id = prediction.version_id
 AND version.last_date <= prediction.as_of_date
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol;

COMMENT ON VIEW roi.published_forecasts IS
    'Every stored forecast of every version.';
COMMENT ON COLUMN roi.published_forecasts.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.published_forecasts.run_id IS 'Airflow''s id of the DAG run';
