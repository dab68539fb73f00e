-- A dataset is content-addressed and names no run, so it is found by what was made from it.
CREATE VIEW roi.resolved_runs AS
SELECT run.run_id,
       run.model_name,
       CASE
           WHEN jsonb_typeof(run.resolved -> 'backtest') = 'object' THEN 'backtest'
           WHEN jsonb_typeof(run.resolved -> 'tuning') = 'object' THEN 'search'
           ELSE 'daily'
       END AS kind,
       run.source,
       run.source = 'simulated' AS simulated,
       (run.resolved ->> 'start_date')::date AS start_date,
       run.as_of_date,
       run.published_at,
       coalesce(run.resolved -> 'config', '{}') AS parameters,
       nullif(run.resolved -> 'backtest', 'null') AS walk,
       nullif(run.resolved -> 'tuning', 'null') AS search,
       run.claimed_at,
       dataset.dataset_id,
       dataset.first_date AS dataset_first_date,
       dataset.last_date AS dataset_last_date,
       dataset.rows AS dataset_rows
FROM roi.runs AS run
LEFT JOIN LATERAL (
    SELECT made.dataset_id
    FROM (
        (SELECT dataset_id FROM roi.evaluations WHERE run_id = run.run_id LIMIT 1)
        UNION ALL
        (SELECT dataset_id FROM roi.model_versions WHERE run_id = run.run_id LIMIT 1)
        UNION ALL
        (SELECT dataset_id FROM roi.predictions WHERE run_id = run.run_id LIMIT 1)
        UNION ALL
        (SELECT dataset_id FROM roi.studies WHERE study = run.resolved #>> '{tuning,study}')
    ) AS made
    LIMIT 1
) AS made ON true
LEFT JOIN roi.datasets AS dataset ON dataset.dataset_id = made.dataset_id;

COMMENT ON VIEW roi.resolved_runs IS
    'Every resolved run with its parameters, and the dataset that it built if that is known.';
COMMENT ON COLUMN roi.resolved_runs.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.resolved_runs.kind IS 'daily, backtest or search';
COMMENT ON COLUMN roi.resolved_runs.as_of_date IS 'last session whose prices may be used';
COMMENT ON COLUMN roi.resolved_runs.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.resolved_runs.start_date IS 'first date of the prices used';
COMMENT ON COLUMN roi.resolved_runs.published_at IS 'when its forecasts are due';
COMMENT ON COLUMN roi.resolved_runs.parameters IS 'all its parameters, those of a daily run';
COMMENT ON COLUMN roi.resolved_runs.walk IS 'how a backtest walks; null for other runs';
COMMENT ON COLUMN roi.resolved_runs.search IS 'what a search searches; null for other runs';
COMMENT ON COLUMN roi.resolved_runs.dataset_first_date IS 'first trading date of the dataset';
COMMENT ON COLUMN roi.resolved_runs.dataset_last_date IS 'last trading date of the dataset';
COMMENT ON COLUMN roi.resolved_runs.dataset_rows IS 'number of rows of the dataset';
