CREATE VIEW roi.prices AS
SELECT price.source,
       price.symbol,
       asset.name,
       price.trading_date,
       price.open,
       price.high,
       price.low,
       price.close,
       price.adj_close,
       price.volume,
       asset.currency,
       price.fetched_at,
       price.source = 'simulated' AS simulated
FROM roi.daily_prices AS price
LEFT JOIN roi.assets AS asset ON asset.symbol = price.symbol;

COMMENT ON VIEW roi.prices IS
    'Daily bars by source and asset, as the source last gave them.';
COMMENT ON COLUMN roi.prices.simulated IS 'true: the prices are simulated, not real';
