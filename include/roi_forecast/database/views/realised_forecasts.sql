-- The rows of prediction_outcomes on whose target date the asset had a bar. That view looks prices
-- up row by row; this one joins them, which is faster for counting many rows.
CREATE VIEW roi.realised_forecasts AS
SELECT version.model_name,
       prediction.symbol,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.predicted_roi_pct,
       outcome.realised_roi_pct,
       outcome.realised_roi_pct BETWEEN prediction.lower_80_pct AND prediction.upper_80_pct
           AS inside_80,
       outcome.realised_roi_pct BETWEEN prediction.lower_95_pct AND prediction.upper_95_pct
           AS inside_95,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.version_id
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version
  ON version.version_id = prediction.version_id
 AND version.last_date <= prediction.as_of_date
JOIN roi.daily_prices AS at_target
  ON at_target.source = prediction.source
 AND at_target.symbol = prediction.symbol
 AND at_target.trading_date = prediction.target_date
LEFT JOIN roi.daily_prices AS at_start
  ON at_start.source = prediction.source
 AND at_start.symbol = prediction.symbol
 AND at_start.trading_date = prediction.as_of_date
CROSS JOIN LATERAL (
    SELECT 100 * (at_target.adj_close / coalesce(at_start.adj_close, (
        SELECT carried.adj_close
        FROM roi.daily_prices AS carried
        WHERE carried.source = prediction.source
          AND carried.symbol = prediction.symbol
          AND carried.trading_date <= prediction.as_of_date
        ORDER BY carried.trading_date DESC
        LIMIT 1
    )) - 1) AS realised_roi_pct
) AS outcome
WHERE outcome.realised_roi_pct IS NOT NULL;

COMMENT ON VIEW roi.realised_forecasts IS
    'Forecasts with a bar on the target date, next to the actual ROI.';
COMMENT ON COLUMN roi.realised_forecasts.realised_roi_pct IS
    'actual ROI from the as-of date to the target date, in percent';
COMMENT ON COLUMN roi.realised_forecasts.inside_80 IS
    'true: the actual ROI is inside the 80 % interval';
COMMENT ON COLUMN roi.realised_forecasts.inside_95 IS
    'true: the actual ROI is inside the 95 % interval';
COMMENT ON COLUMN roi.realised_forecasts.simulated IS 'true: the prices are simulated, not real';
