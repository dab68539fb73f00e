-- The audit comes from the dataset's manifest, so that files and database agree.
CREATE VIEW roi.leakage_audits AS
SELECT dataset.dataset_id,
       dataset.source,
       dataset.source = 'simulated' AS simulated,
       dataset.as_of_date,
       finding.check_name,
       finding.passed,
       finding.observed,
       finding.allowed,
       finding.message
FROM roi.datasets AS dataset
CROSS JOIN LATERAL jsonb_to_recordset(dataset.manifest -> 'leakage_audit') AS finding (
    check_name text,
    passed boolean,
    observed double precision,
    allowed double precision,
    message text
);

COMMENT ON VIEW roi.leakage_audits IS
    'Results of every check of each dataset''s leakage audit.';
COMMENT ON COLUMN roi.leakage_audits.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.leakage_audits.check_name IS 'name of the check';
COMMENT ON COLUMN roi.leakage_audits.passed IS 'true: passed';
COMMENT ON COLUMN roi.leakage_audits.observed IS 'the figure compared with the limit, in its unit';
COMMENT ON COLUMN roi.leakage_audits.allowed IS 'limit of the check; null if it has none';
COMMENT ON COLUMN roi.leakage_audits.message IS 'what the check found, in words';
