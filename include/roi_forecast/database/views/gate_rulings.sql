CREATE VIEW roi.gate_rulings AS
SELECT version.model_name,
       decision.run_id,
       decision.version_id,
       decision.rule,
       decision.rule = 'verdict' AS is_verdict,
       decision.opponent,
       decision.decisive,
       decision.threshold,
       decision.observed,
       decision.passed,
       decision.reason,
       decision.decided_at,
       version.source = 'simulated' AS simulated
FROM roi.gate_decisions AS decision
JOIN roi.model_versions AS version ON version.version_id = decision.version_id;

COMMENT ON VIEW roi.gate_rulings IS
    'The gate''s decision on every rule for every candidate.';
COMMENT ON COLUMN roi.gate_rulings.run_id IS 'Airflow''s id of the DAG run';
COMMENT ON COLUMN roi.gate_rulings.is_verdict IS 'true: the gate''s decision on all rules together';
COMMENT ON COLUMN roi.gate_rulings.simulated IS 'true: the prices are simulated, not real';
