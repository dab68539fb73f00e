CREATE VIEW roi.track_record_days AS
SELECT model_name,
       source,
       source = 'simulated' AS simulated,
       target_date,
       backfill,
       sum(forecasts)::integer AS forecasts,
       sum(inside_80)::integer AS inside_80,
       sum(inside_95)::integer AS inside_95,
       sum(directions)::integer AS directions,
       sum(direction_hits)::integer AS direction_hits,
       sum(sum_of_errors_pct) AS sum_of_errors_pct,
       sum(sum_of_errors_of_zero_pct) AS sum_of_errors_of_zero_pct
FROM (
    SELECT model_name, source, target_date, backfill, forecasts, inside_80, inside_95, directions,
           direction_hits, sum_of_errors_pct, sum_of_errors_of_zero_pct
    FROM roi.counted_days
    UNION ALL
    SELECT model_name, source, target_date, backfill, counted, counted * inside_80::integer,
           counted * inside_95::integer, counted * (direction_hit IS NOT NULL)::integer,
           counted * (direction_hit IS TRUE)::integer, counted * error_pct,
           counted * error_of_zero_pct
    FROM roi.recounts
) AS counts
GROUP BY model_name, source, target_date, backfill
HAVING sum(forecasts) > 0;

COMMENT ON VIEW roi.track_record_days IS
    'Outcomes of next-session forecasts, summed over the assets of each target date.';
COMMENT ON COLUMN roi.track_record_days.backfill IS
    'true: of forecasts that were made after their session opened';
COMMENT ON COLUMN roi.track_record_days.inside_80 IS
    'number of actual ROIs inside the 80 % interval';
COMMENT ON COLUMN roi.track_record_days.inside_95 IS
    'number of actual ROIs inside the 95 % interval';
COMMENT ON COLUMN roi.track_record_days.simulated IS 'true: the prices are simulated, not real';
