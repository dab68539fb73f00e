CREATE VIEW roi.latest_forecasts AS
SELECT forecast.*,
       champion.version_next_day_r2_against_zero,
       champion.version_directional_accuracy
FROM roi.champions AS champion
JOIN roi.forecasts AS forecast
  ON forecast.version_id = champion.version_id
 AND forecast.as_of_date = champion.as_of_date;

COMMENT ON VIEW roi.latest_forecasts IS
    'Newest forecasts of each serving champion at every horizon, with the version''s skill.';
COMMENT ON COLUMN roi.latest_forecasts.version_id IS 'the model version';
COMMENT ON COLUMN roi.latest_forecasts.as_of_date IS 'last session whose prices may be used';
COMMENT ON COLUMN roi.latest_forecasts.run_id IS 'Airflow''s id of the DAG run';
