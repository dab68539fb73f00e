-- The newest attempt of each stage instance counts; `done` is the last stage that ended the run.
CREATE VIEW roi.run_history AS
SELECT start.run_id,
       coalesce(run.model_name, start.model_name) AS model_name,
       present.state,
       start.started_at,
       CASE present.state
           WHEN 'done' THEN done.ended_at
           WHEN 'failed' THEN failure.ended_at
       END AS ended_at,
       run.as_of_date,
       CASE WHEN present.state = 'failed' THEN nullif(failure.stage, 'run') END AS failed_stage,
       CASE present.state
           WHEN 'running' THEN running.stages
           WHEN 'waiting' THEN
               coalesce(pending.stage || ': ' || pending.reason, 'for its next stage to start')
           WHEN 'failed' THEN failure.reason
           ELSE coalesce(done.reason, verdict.meaning)
       END AS reason,
       start.dag_id,
       run.source,
       coalesce(run.source = 'simulated', false) AS simulated,
       coalesce(extraction.assets, 0) AS assets,
       coalesce(extraction.failed, 0) AS failed_extractions,
       (SELECT count(*) FROM roi.price_checks AS price_check
        WHERE price_check.run_id = start.run_id AND NOT price_check.passed) AS failed_checks,
       verdict.version_id,
       verdict.passed AS verdict_passed,
       verdict.reason AS verdict_reason
FROM roi.run_starts AS start
LEFT JOIN roi.runs AS run ON run.run_id = start.run_id
LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT attempt.stage, ', ') AS stages
    FROM roi.stage_history AS attempt
    WHERE attempt.run_id = start.run_id AND attempt.state = 'running'
) AS running ON true
LEFT JOIN LATERAL (
    SELECT attempt.attempt_id, attempt.ended_at, attempt.reason
    FROM roi.stage_history AS attempt
    WHERE attempt.run_id = start.run_id AND attempt.ends_run
    ORDER BY attempt.attempt_id DESC
    LIMIT 1
) AS done ON true
LEFT JOIN LATERAL (
    SELECT attempt.attempt_id, attempt.stage, attempt.reason
    FROM roi.stage_history AS attempt
    WHERE attempt.run_id = start.run_id
      AND attempt.state IN ('waiting', 'retrying')
      AND attempt.attempt_id > coalesce(done.attempt_id, 0)
      AND NOT EXISTS (
          SELECT FROM roi.stage_attempts AS later
          WHERE later.run_id = attempt.run_id
            AND later.attempt_id > attempt.attempt_id
            AND ((later.stage = attempt.stage AND later.map_index = attempt.map_index)
                 OR later.stage = 'run')
      )
    ORDER BY attempt.attempt_id DESC
    LIMIT 1
) AS pending ON true
-- A failure counts until another stage of the run starts. Some assets and trials may fail.
LEFT JOIN LATERAL (
    SELECT attempt.attempt_id, attempt.stage, attempt.ended_at, attempt.reason
    FROM roi.stage_history AS attempt
    WHERE attempt.run_id = start.run_id
      AND attempt.state = 'failed'
      AND NOT EXISTS (
          SELECT FROM roi.stage_attempts AS later
          WHERE later.run_id = attempt.run_id
            AND later.attempt_id > attempt.attempt_id
            AND (later.stage <> attempt.stage OR later.map_index = attempt.map_index)
      )
      AND NOT (
          attempt.stage IN ('extract_prices', 'run_trial')
          AND EXISTS (
              SELECT FROM roi.stage_history AS other
              WHERE other.run_id = attempt.run_id
                AND other.stage = attempt.stage
                AND other.state = 'succeeded'
          )
      )
    ORDER BY attempt.attempt_id DESC
    LIMIT 1
) AS failure ON true
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN running.stages IS NOT NULL THEN 'running'
        WHEN pending.attempt_id IS NOT NULL THEN 'waiting'
        WHEN failure.attempt_id IS NOT NULL THEN 'failed'
        WHEN done.attempt_id > coalesce((
            SELECT max(attempt.attempt_id)
            FROM roi.stage_attempts AS attempt
            WHERE attempt.run_id = start.run_id
              AND attempt.stage IN ('resolve_run', 'resolve_backtest')
        ), 0) THEN 'done'
        ELSE 'waiting'
    END AS state
) AS present
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM roi.extractions AS every WHERE every.run_id = start.run_id)
               AS assets,
           (SELECT count(*) FROM roi.extractions AS every
            WHERE every.run_id = start.run_id AND every.status = 'failed') AS failed
) AS extraction
LEFT JOIN LATERAL (
    SELECT decision.version_id,
           decision.passed,
           decision.reason,
           CASE
               WHEN decision.passed THEN 'the candidate passed the gate: ' || decision.reason
               ELSE 'the candidate was rejected, the champion continues: ' || decision.reason
           END AS meaning
    FROM roi.gate_decisions AS decision
    WHERE decision.run_id = start.run_id AND decision.rule = 'verdict'
    ORDER BY decision.decided_at DESC
    LIMIT 1
) AS verdict ON true;

COMMENT ON VIEW roi.run_history IS
    'Every run that started, with its state and the reason for it.';
COMMENT ON COLUMN roi.run_history.model_name IS
    'the name under which candidates compete; null if the run was refused without one';
COMMENT ON COLUMN roi.run_history.state IS 'done, failed, running or waiting';
COMMENT ON COLUMN roi.run_history.started_at IS 'when its first stage first started';
COMMENT ON COLUMN roi.run_history.ended_at IS
    'when it was done or failed; null while it continues, and if its process died';
COMMENT ON COLUMN roi.run_history.as_of_date IS
    'last session whose prices may be used; null before the run is resolved';
COMMENT ON COLUMN roi.run_history.failed_stage IS
    'the stage that failed; null if none did, or the run was ended from outside';
COMMENT ON COLUMN roi.run_history.reason IS
    'why it failed, what it waits for, which stage runs, or what the gate decided';
COMMENT ON COLUMN roi.run_history.source IS 'source of its prices; null before it is resolved';
COMMENT ON COLUMN roi.run_history.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.run_history.assets IS 'number of assets';
COMMENT ON COLUMN roi.run_history.failed_extractions IS 'number of assets whose extraction failed';
COMMENT ON COLUMN roi.run_history.failed_checks IS 'number of price checks that failed';
COMMENT ON COLUMN roi.run_history.version_id IS
    'the version that the gate decided on; null without a decision';
COMMENT ON COLUMN roi.run_history.verdict_passed IS
    'true: the candidate passed the gate; null without a decision';
COMMENT ON COLUMN roi.run_history.verdict_reason IS 'why the gate decided so';
