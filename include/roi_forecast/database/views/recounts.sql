-- What the sums of roi.counted_days and roi.counted_months have too much (counted -1) and too little
-- (counted 1). Next to nothing after a run has counted; between, the forecasts of changed series.
-- OFFSET 0 makes PostgreSQL look up each series by its index: it has no statistics of the changes.
CREATE VIEW roi.recounts AS
WITH changed AS (
    SELECT source, symbol, min(first_date) AS first_date
    FROM roi.uncounted
    GROUP BY source, symbol
)
SELECT counted.model_name,
       changed.source,
       changed.symbol,
       forecast.target_date,
       counted.backfill,
       -1 AS counted,
       forecast.inside_80,
       forecast.inside_95,
       forecast.direction_hit,
       forecast.error_pct,
       forecast.error_of_zero_pct
FROM changed
CROSS JOIN LATERAL (
    SELECT *
    FROM roi.counted_months AS counted
    WHERE counted.source = changed.source
      AND counted.symbol = changed.symbol
      AND counted.month >= date_trunc('month', changed.first_date)::date
    OFFSET 0
) AS counted
CROSS JOIN LATERAL unnest(counted.target_dates, counted.insides_80, counted.insides_95, counted.hits,
                          counted.errors_pct, counted.errors_of_zero_pct)
    AS forecast (target_date, inside_80, inside_95, direction_hit, error_pct, error_of_zero_pct)
WHERE forecast.target_date >= changed.first_date
UNION ALL
SELECT outcome.model_name,
       changed.source,
       changed.symbol,
       outcome.target_date,
       outcome.backfill,
       1 AS counted,
       outcome.inside_80,
       outcome.inside_95,
       outcome.direction_hit,
       abs(outcome.error_pct) AS error_pct,
       abs(outcome.realised_roi_pct) AS error_of_zero_pct
FROM changed
CROSS JOIN LATERAL (
    SELECT *
    FROM roi.outcomes AS outcome
    WHERE outcome.source = changed.source
      AND outcome.symbol = changed.symbol
      AND outcome.target_date >= changed.first_date
      AND outcome.horizon = 1
      AND NOT outcome.filled_target
    OFFSET 0
) AS outcome;

COMMENT ON VIEW roi.recounts IS
    'Next-session outcomes that changed since they were counted, which track_record_* correct.';
COMMENT ON COLUMN roi.recounts.counted IS
    '-1: the outcome as it was counted; 1: as it is now';
COMMENT ON COLUMN roi.recounts.backfill IS
    'true: a forecast that was made after its session opened';
COMMENT ON COLUMN roi.recounts.inside_80 IS 'true: the actual ROI is inside the 80 % interval';
COMMENT ON COLUMN roi.recounts.inside_95 IS 'true: the actual ROI is inside the 95 % interval';
COMMENT ON COLUMN roi.recounts.direction_hit IS
    'true: forecast and actual ROI have the same sign; null where either is 0';
COMMENT ON COLUMN roi.recounts.error_pct IS 'absolute error, in percentage points';
COMMENT ON COLUMN roi.recounts.error_of_zero_pct IS
    'absolute error of forecasting 0, in percentage points';
