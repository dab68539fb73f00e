CREATE VIEW roi.failed_price_checks AS
SELECT run.model_name,
       price_check.id,
       price_check.run_id,
       price_check.source,
       price_check.source = 'simulated' AS simulated,
       price_check.symbol,
       price_check.trading_date,
       price_check.check_name,
       price_check.severity,
       price_check.observed,
       price_check.allowed,
       price_check.message,
       price_check.checked_at
FROM roi.price_checks AS price_check
JOIN roi.runs AS run ON run.run_id = price_check.run_id
WHERE NOT price_check.passed;

COMMENT ON VIEW roi.failed_price_checks IS
    'The price checks that failed.';
COMMENT ON COLUMN roi.failed_price_checks.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.failed_price_checks.symbol IS
    'the asset''s symbol; null if the check is about the whole run';
COMMENT ON COLUMN roi.failed_price_checks.trading_date IS
    'session of the bar; null if the check is about the whole series';
