CREATE VIEW roi.forecasts AS
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
       prediction.member_spread_pct,
       prediction.method,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.missing_context,
       prediction.context,
       prediction.version_id,
       prediction.run_id,
       run.published_at,
       prediction.created_at
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version
  ON version.version_id = prediction.version_id
 AND version.last_date <= prediction.as_of_date
LEFT JOIN roi.runs AS run ON run.run_id = prediction.run_id
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol;

COMMENT ON VIEW roi.forecasts IS
    'Every forecast of every version that was ever published.';
COMMENT ON COLUMN roi.forecasts.model_name IS
    'name under which candidates compete and one champion serves';
COMMENT ON COLUMN roi.forecasts.symbol IS 'the asset''s symbol';
COMMENT ON COLUMN roi.forecasts.as_of_date IS 'last session whose prices may be used';
COMMENT ON COLUMN roi.forecasts.source IS 'price source, such as yahoo, or csv with its name';
COMMENT ON COLUMN roi.forecasts.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.forecasts.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.forecasts.published_at IS
    'when the forecasts were due; no bar that became final later informs them';
