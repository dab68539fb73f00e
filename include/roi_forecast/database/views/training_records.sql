CREATE VIEW roi.training_records AS
SELECT version.model_name,
       version.version_id,
       version.source,
       version.source = 'simulated' AS simulated,
       dataset.rows AS dataset_rows,
       version.training_record,
       version.metrics
FROM roi.model_versions AS version
JOIN roi.datasets AS dataset ON dataset.dataset_id = version.dataset_id;

COMMENT ON VIEW roi.training_records IS
    'How every version was trained: all parameters, libraries, device and durations.';
COMMENT ON COLUMN roi.training_records.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.training_records.dataset_rows IS 'number of rows of its dataset';
