CREATE VIEW roi.champions AS
SELECT version.model_name,
       version.version_id,
       newest.as_of_date,
       version.publish,
       version.symbols,
       version.context_symbols,
       (version.metrics ->> 'next_day_r2_against_zero')::double precision
           AS version_next_day_r2_against_zero,
       (version.metrics ->> 'directional_accuracy')::double precision
           AS version_directional_accuracy,
       version.source,
       version.source = 'simulated' AS simulated
FROM roi.model_versions AS version
CROSS JOIN LATERAL (
    SELECT max(forecast.as_of_date) AS as_of_date
    FROM roi.predictions AS forecast
    WHERE forecast.version_id = version.version_id
      AND forecast.horizon = 1
      AND forecast.as_of_date >= version.last_date
) AS newest
WHERE version.state = 'champion';

COMMENT ON VIEW roi.champions IS
    'The version that serves under each model name, and the session of its newest forecasts.';
COMMENT ON COLUMN roi.champions.version_id IS 'the version that serves';
COMMENT ON COLUMN roi.champions.as_of_date IS
    'newest session from whose prices it forecasts; null if it has no forecast yet';
COMMENT ON COLUMN roi.champions.symbols IS 'symbols, in the order of the dataset''s columns';
COMMENT ON COLUMN roi.champions.version_next_day_r2_against_zero IS
    'R2 of the version''s next-day ROI on test rows, against always forecasting 0';
COMMENT ON COLUMN roi.champions.version_directional_accuracy IS
    'fraction of correct signs on test rows, where neither ROI is 0';
COMMENT ON COLUMN roi.champions.source IS 'price source, such as yahoo, or csv with its name';
COMMENT ON COLUMN roi.champions.simulated IS 'true: the prices are simulated, not real';
