CREATE VIEW roi.restated_prices AS
SELECT restatement.id,
       restatement.source,
       restatement.source = 'simulated' AS simulated,
       restatement.symbol,
       asset.name,
       restatement.compared_on,
       restatement.close_ratio,
       restatement.adj_close_ratio,
       restatement.first_date,
       restatement.last_date,
       restatement.rows,
       restatement.run_id,
       restatement.detected_at
FROM roi.price_restatements AS restatement
LEFT JOIN roi.assets AS asset ON asset.symbol = restatement.symbol;

COMMENT ON VIEW roi.restated_prices IS
    'Every time a source restated prices that were already stored.';
COMMENT ON COLUMN roi.restated_prices.simulated IS 'true: the prices are simulated, not real';
