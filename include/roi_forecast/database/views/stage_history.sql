-- A living attempt holds a lock; 5394249 is ATTEMPT_LOCKS in roi_forecast.runs.attempts.
CREATE VIEW roi.stage_history AS
SELECT attempt.attempt_id,
       attempt.run_id,
       start.dag_id,
       coalesce(run.model_name, start.model_name) AS model_name,
       attempt.stage,
       attempt.map_index,
       attempt.attempt,
       CASE
           WHEN alive.attempt_id IS NOT NULL THEN 'running'
           ELSE coalesce(ending.outcome, 'failed')
       END AS state,
       attempt.started_at,
       CASE WHEN alive.attempt_id IS NULL THEN ending.ended_at END AS ended_at,
       CASE
           WHEN alive.attempt_id IS NOT NULL THEN NULL
           WHEN ending.outcome IS NULL THEN
               'its process ended unexpectedly (killed, out of memory, stopped by a person, or its '
               'machine went down); Airflow starts it again if an attempt is left, otherwise clear '
               'the task'
           ELSE ending.reason
       END AS reason,
       alive.attempt_id IS NULL AND coalesce(ending.ends_run, false) AS ends_run
FROM roi.stage_attempts AS attempt
LEFT JOIN roi.run_starts AS start ON start.run_id = attempt.run_id
LEFT JOIN roi.runs AS run ON run.run_id = attempt.run_id
LEFT JOIN LATERAL (
    SELECT newest.ended_at, newest.outcome, newest.ends_run, newest.reason
    FROM roi.stage_endings AS newest
    WHERE newest.attempt_id = attempt.attempt_id
    ORDER BY newest.ending_id DESC
    LIMIT 1
) AS ending ON true
LEFT JOIN (
    SELECT DISTINCT lock.objid::bigint AS attempt_id
    FROM pg_locks AS lock
    WHERE lock.locktype = 'advisory'
      AND lock.classid = 5394249
      AND lock.objsubid = 2
      AND lock.granted
      AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS alive ON alive.attempt_id = attempt.attempt_id;

COMMENT ON VIEW roi.stage_history IS
    'Every attempt at a stage of a run, including retries, with its state and the reason for it.';
COMMENT ON COLUMN roi.stage_history.model_name IS
    'the name under which candidates compete; null if the run was refused without one';
COMMENT ON COLUMN roi.stage_history.started_at IS 'when the attempt started';
COMMENT ON COLUMN roi.stage_history.reason IS 'why, in words; null while it runs';
COMMENT ON COLUMN roi.stage_history.state IS
    'running, succeeded, skipped, waiting, retrying or failed';
COMMENT ON COLUMN roi.stage_history.ended_at IS
    'when it ended; null while it runs, and if its process ended unexpectedly';
