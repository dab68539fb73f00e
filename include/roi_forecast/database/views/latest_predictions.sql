CREATE VIEW roi.latest_predictions AS
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
       (version.metrics ->> 'next_day_r2_against_zero')::double precision
           AS version_next_day_r2_against_zero,
       (version.metrics ->> 'directional_accuracy')::double precision
           AS version_directional_accuracy,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.missing_context,
       prediction.version_id,
       (run.resolved ->> 'published_at')::timestamptz AS published_at,
       prediction.created_at,
       prediction.member_spread_pct
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
 AND prediction.horizon = 1
LEFT JOIN roi.runs AS run ON run.run_id = prediction.run_id
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol
WHERE version.state = 'champion';

COMMENT ON VIEW roi.latest_predictions IS
    'Newest next-session forecasts of each serving champion, with the version''s skill.';
COMMENT ON COLUMN roi.latest_predictions.version_next_day_r2_against_zero IS
    'R2 of the version''s next-day ROI on test rows, against always forecasting 0';
COMMENT ON COLUMN roi.latest_predictions.published_at IS
    'when the forecasts were due; no bar that became final later informs them';
COMMENT ON COLUMN roi.latest_predictions.version_directional_accuracy IS
    'fraction of correct signs on test rows, where neither ROI is 0';
COMMENT ON COLUMN roi.latest_predictions.simulated IS 'true: the prices are simulated, not real';
