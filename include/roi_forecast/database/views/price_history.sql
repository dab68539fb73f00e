CREATE VIEW roi.price_history AS
SELECT price.source,
       price.symbol,
       price.trading_date,
       price.adj_close,
       price.source = 'simulated' AS simulated
FROM roi.daily_prices AS price;

COMMENT ON VIEW roi.price_history IS
    'Adjusted closing prices by source and asset.';
COMMENT ON COLUMN roi.price_history.simulated IS 'true: the prices are simulated, not real';
