CREATE OR REPLACE VIEW roi.asset_health AS
SELECT name.model_name,
       extraction.run_id,
       extraction.symbol,
       asset.name,
       extraction.context,
       extraction.source,
       extraction.source = 'simulated' AS simulated,
       name.last_as_of_date AS as_of_date,
       last_bar.trading_date AS last_bar_date,
       last_bar.fetched_at,
       extraction.status AS extraction_status,
       extraction.rows AS extracted_rows,
       extraction.error AS extraction_error,
       extraction.finished_at,
       extraction.missing_columns,
       extraction.currency AS stated_currency,
       (SELECT count(*) FROM roi.price_checks AS price_check
        WHERE price_check.run_id = extraction.run_id
          AND price_check.symbol = extraction.symbol
          AND NOT price_check.passed) AS failed_checks
FROM roi.model_names AS name
JOIN roi.extractions AS extraction ON extraction.run_id = name.last_run_id
LEFT JOIN roi.assets AS asset ON asset.symbol = extraction.symbol
LEFT JOIN LATERAL (
    SELECT price.trading_date, price.fetched_at
    FROM roi.daily_prices AS price
    WHERE price.source = extraction.source AND price.symbol = extraction.symbol
    ORDER BY price.trading_date DESC
    LIMIT 1
) AS last_bar ON true
