CREATE VIEW roi.model_version_details AS
SELECT version.model_name,
       version.version_id,
       version.state,
       version.run_id,
       version.dataset_id,
       version.source,
       version.source = 'simulated' AS simulated,
       version.symbols,
       version.first_date,
       version.last_date,
       version.hyperparameters,
       version.seed,
       version.code_revision,
       version.created_at,
       version.files_deleted_at,
       (version.metrics ->> 'network_factor')::double precision AS network_factor,
       verdict.passed AS verdict_passed,
       verdict.reason AS verdict_reason,
       verdict.decided_at,
       promoted.promoted_at,
       version.damaged_at,
       version.context_symbols,
       version.publish,
       coalesce(dataset.manifest -> 'missing_columns', '{}') AS missing_columns
FROM roi.model_versions AS version
JOIN roi.datasets AS dataset ON dataset.dataset_id = version.dataset_id
LEFT JOIN LATERAL (
    SELECT decision.passed, decision.reason, decision.decided_at
    FROM roi.gate_decisions AS decision
    WHERE decision.version_id = version.version_id AND decision.rule = 'verdict'
    ORDER BY decision.decided_at DESC
    LIMIT 1
) AS verdict ON true
LEFT JOIN LATERAL (
    SELECT max(promotion.promoted_at) AS promoted_at
    FROM roi.promotions AS promotion
    WHERE promotion.version_id = version.version_id
) AS promoted ON true;

COMMENT ON VIEW roi.model_version_details IS
    'Every version with its data, hyperparameters, verdict and promotion.';
COMMENT ON COLUMN roi.model_version_details.run_id IS 'the run that trained it';
COMMENT ON COLUMN roi.model_version_details.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.model_version_details.network_factor IS
    'share of what the network adds to the linear part that is published, from 0 to 1';
COMMENT ON COLUMN roi.model_version_details.verdict_passed IS
    'true: the candidate passed the gate; null without a decision';
COMMENT ON COLUMN roi.model_version_details.verdict_reason IS 'why the gate decided so';
COMMENT ON COLUMN roi.model_version_details.first_date IS 'first trading date of its data';
COMMENT ON COLUMN roi.model_version_details.last_date IS 'last trading date of its data';
COMMENT ON COLUMN roi.model_version_details.missing_columns IS
    'by asset or context asset, the columns of a bar that the source lacked';
COMMENT ON COLUMN roi.model_version_details.decided_at IS 'when the gate decided on it last';
