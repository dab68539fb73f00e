-- On a date without a bar, the last price before it is carried forward. An outcome is known once
-- the asset itself has a bar on or after the target date, so that a late extraction never looks
-- like a holiday.
-- Prices are looked up by their full key, and searched for only on dates without a bar: 29 ms for a
-- day of 5,000 assets x 750 sessions, against 66 ms by searches alone (benchmarks/speed.md).
-- OFFSET 0 computes the ROI once. Adding 0 to a date keeps PostgreSQL from applying a query's date
-- to the prices and scanning all symbols of that date, which takes twice as long.
CREATE VIEW roi.outcomes AS
SELECT version.model_name,
       prediction.symbol,
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
       outcome.realised_roi_pct,
       100 * ((1 + outcome.realised_roi_pct / 100) * opening.share - 1) AS realised_gap_pct,
       100 * (1 / opening.share - 1) AS realised_open_to_close_pct,
       outcome.realised_roi_pct - prediction.predicted_roi_pct AS error_pct,
       CASE WHEN prediction.predicted_roi_pct = 0 OR outcome.realised_roi_pct = 0 THEN NULL
            ELSE sign(prediction.predicted_roi_pct) = sign(outcome.realised_roi_pct)
       END AS direction_hit,
       outcome.realised_roi_pct BETWEEN prediction.lower_80_pct AND prediction.upper_80_pct
           AS inside_80,
       outcome.realised_roi_pct BETWEEN prediction.lower_95_pct AND prediction.upper_95_pct
           AS inside_95,
       at_target.trading_date IS NULL AS filled_target,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.missing_context,
       prediction.version_id,
       prediction.created_at
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version
  ON version.version_id = prediction.version_id
 AND version.last_date <= prediction.as_of_date
LEFT JOIN roi.daily_prices AS at_target
  ON at_target.source = prediction.source
 AND at_target.symbol = prediction.symbol
 AND at_target.trading_date = prediction.target_date + 0
LEFT JOIN roi.daily_prices AS at_start
  ON at_start.source = prediction.source
 AND at_start.symbol = prediction.symbol
 AND at_start.trading_date = prediction.as_of_date + 0
CROSS JOIN LATERAL (
    SELECT 100 * (coalesce(at_target.adj_close, (
        SELECT carried.adj_close
        FROM roi.daily_prices AS carried
        WHERE carried.source = prediction.source
          AND carried.symbol = prediction.symbol
          AND carried.trading_date <= prediction.target_date
        ORDER BY carried.trading_date DESC
        LIMIT 1
    )) / coalesce(at_start.adj_close, (
        SELECT carried.adj_close
        FROM roi.daily_prices AS carried
        WHERE carried.source = prediction.source
          AND carried.symbol = prediction.symbol
          AND carried.trading_date <= prediction.as_of_date
        ORDER BY carried.trading_date DESC
        LIMIT 1
    )) - 1) AS realised_roi_pct
    OFFSET 0
) AS outcome
CROSS JOIN LATERAL (
    SELECT CASE WHEN prediction.horizon = 1 AND at_target.open > 0 AND at_target.open < 'Infinity'
                THEN at_target.open / at_target.close
           END AS share
) AS opening
WHERE outcome.realised_roi_pct IS NOT NULL
  AND (at_target.trading_date IS NOT NULL OR EXISTS (
      SELECT 1
      FROM roi.daily_prices AS later
      WHERE later.source = prediction.source
        AND later.symbol = prediction.symbol
        AND later.trading_date > prediction.target_date
  ));

COMMENT ON VIEW roi.outcomes IS
    'Each forecast whose target session is past, next to the actual ROI.';
COMMENT ON COLUMN roi.outcomes.realised_roi_pct IS
    'actual ROI from the as-of date to the target date, in percent';
COMMENT ON COLUMN roi.outcomes.realised_gap_pct IS
    'actual ROI from the as-of close to the next opening, in percent; null if there is none';
COMMENT ON COLUMN roi.outcomes.realised_open_to_close_pct IS
    'actual ROI from that opening to the close, in percent; null where realised_gap_pct is';
COMMENT ON COLUMN roi.outcomes.error_pct IS
    'actual minus forecast ROI, in percentage points';
COMMENT ON COLUMN roi.outcomes.direction_hit IS
    'true: forecast and actual ROI have the same sign; null where either is 0';
COMMENT ON COLUMN roi.outcomes.inside_80 IS
    'true: the actual ROI is inside the 80 % interval';
COMMENT ON COLUMN roi.outcomes.inside_95 IS
    'true: the actual ROI is inside the 95 % interval';
COMMENT ON COLUMN roi.outcomes.filled_target IS
    'true: no bar on the target date, so the price before it was carried forward';
COMMENT ON COLUMN roi.outcomes.simulated IS 'true: the prices are simulated, not real';
