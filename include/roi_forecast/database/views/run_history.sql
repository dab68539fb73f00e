CREATE VIEW roi.run_history AS
SELECT run.model_name,
       run.run_id,
       run.source,
       run.source = 'simulated' AS simulated,
       run.as_of_date,
       run.claimed_at,
       run.released_at,
       coalesce(extraction.assets, 0) AS assets,
       coalesce(extraction.failed, 0) AS failed_extractions,
       (SELECT count(*) FROM roi.price_checks AS price_check
        WHERE price_check.run_id = run.run_id AND NOT price_check.passed) AS failed_checks,
       verdict.version_id,
       verdict.passed AS verdict_passed,
       verdict.reason AS verdict_reason
FROM roi.runs AS run
LEFT JOIN LATERAL (
    SELECT count(*) AS assets,
           count(*) FILTER (WHERE extraction.status = 'failed') AS failed
    FROM roi.extractions AS extraction
    WHERE extraction.run_id = run.run_id
) AS extraction ON true
LEFT JOIN LATERAL (
    SELECT decision.version_id, decision.passed, decision.reason
    FROM roi.gate_decisions AS decision
    WHERE decision.run_id = run.run_id AND decision.rule = 'verdict'
    ORDER BY decision.decided_at DESC
    LIMIT 1
) AS verdict ON true;

COMMENT ON VIEW roi.run_history IS
    'Every run that claimed a model name, with its failures and its verdict.';
COMMENT ON COLUMN roi.run_history.version_id IS
    'the version that the gate decided on; null without a decision';
