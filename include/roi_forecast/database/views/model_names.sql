CREATE VIEW roi.model_names AS
WITH names AS (
    SELECT model_name FROM roi.runs
    UNION
    SELECT model_name FROM roi.model_versions
)
SELECT names.model_name,
       champion.version_id AS champion_version_id,
       coalesce(champion.source, run.source) AS source,
       coalesce(champion.source, run.source) = 'simulated' AS simulated,
       run.run_id AS last_run_id,
       run.as_of_date AS last_as_of_date,
       run.claimed_at AS last_run_at
FROM names
LEFT JOIN roi.model_versions AS champion
  ON champion.model_name = names.model_name AND champion.state = 'champion'
LEFT JOIN LATERAL (
    SELECT newest.run_id, newest.source, newest.as_of_date, newest.claimed_at
    FROM roi.runs AS newest
    WHERE newest.model_name = names.model_name
    ORDER BY newest.claimed_at DESC, newest.run_id DESC
    LIMIT 1
) AS run ON true;

COMMENT ON VIEW roi.model_names IS
    'Every model name with its champion and its newest run.';
COMMENT ON COLUMN roi.model_names.champion_version_id IS
    'the version that serves; null if none does';
COMMENT ON COLUMN roi.model_names.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.model_names.last_run_id IS 'the newest run of the name';
COMMENT ON COLUMN roi.model_names.last_as_of_date IS 'as-of date of the newest run';
COMMENT ON COLUMN roi.model_names.last_run_at IS 'when the newest run claimed the name';
