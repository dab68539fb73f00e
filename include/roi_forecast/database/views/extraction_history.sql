CREATE VIEW roi.extraction_history AS
SELECT run.model_name,
       extraction.run_id,
       run.as_of_date,
       extraction.symbol,
       asset.name,
       extraction.context,
       extraction.source,
       extraction.source = 'simulated' AS simulated,
       extraction.requested_start,
       extraction.requested_end,
       extraction.status,
       extraction.rows,
       extraction.error,
       extraction.missing_columns,
       extraction.currency AS stated_currency,
       extraction.finished_at
FROM roi.extractions AS extraction
JOIN roi.runs AS run ON run.run_id = extraction.run_id
LEFT JOIN roi.assets AS asset ON asset.symbol = extraction.symbol;

COMMENT ON VIEW roi.extraction_history IS
    'What each run requested for each asset and context asset, and whether it succeeded.';
COMMENT ON COLUMN roi.extraction_history.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.extraction_history.symbol IS 'the asset''s symbol';
COMMENT ON COLUMN roi.extraction_history.source IS 'price source, such as yahoo, or csv with its name';
COMMENT ON COLUMN roi.extraction_history.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.extraction_history.rows IS 'rows that the extraction inserted or changed';
COMMENT ON COLUMN roi.extraction_history.stated_currency IS
    'currency that the source stated; null if it stated none';
