CREATE OR REPLACE VIEW roi.outcomes AS
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
       at_target.trading_date < prediction.target_date AS filled_target,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.missing_context,
       prediction.version_id,
       prediction.created_at
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version ON version.version_id = prediction.version_id
JOIN LATERAL (
    SELECT price.adj_close
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date <= prediction.as_of_date
    ORDER BY price.trading_date DESC
    LIMIT 1
) AS at_start ON true
JOIN LATERAL (
    SELECT price.adj_close, price.trading_date
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date <= prediction.target_date
    ORDER BY price.trading_date DESC
    LIMIT 1
) AS at_target ON true
CROSS JOIN LATERAL (
    SELECT 100 * (at_target.adj_close / at_start.adj_close - 1) AS realised_roi_pct
) AS outcome
LEFT JOIN LATERAL (
    SELECT price.open / price.close AS share
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date = prediction.target_date
      AND prediction.horizon = 1
      AND price.open > 0
      AND price.open < 'Infinity'
) AS opening ON true
WHERE EXISTS (
    SELECT 1
    FROM roi.daily_prices AS price
    WHERE price.source = prediction.source
      AND price.symbol = prediction.symbol
      AND price.trading_date >= prediction.target_date
)
