-- A version's record has its overall test figures. Looked up in roi.evaluations, they cost a page of
-- a few versions as much as all versions, since a rank needs those of each.
CREATE VIEW roi.versions AS
SELECT version.model_name,
       rank() OVER (PARTITION BY version.model_name ORDER BY figure.r2 DESC NULLS LAST) AS rank,
       version.version_id,
       version.state,
       figure.r2,
       figure.no_skill_r2,
       figure.linear_r2,
       figure.persistence_r2,
       figure.zero_r2,
       figure.mae,
       figure.rmse,
       figure.next_day_r2_against_zero,
       figure.next_day_r2_against_zero_lower_95,
       figure.next_day_r2_against_zero_upper_95,
       figure.next_day_r2_against_zero_t,
       figure.gap_r2_against_zero,
       figure.gap_r2_against_zero_t,
       figure.open_to_close_r2_against_zero,
       figure.open_to_close_r2_against_zero_t,
       figure.network_r2_gain,
       figure.network_r2_gain_lower_95,
       figure.network_r2_gain_upper_95,
       figure.network_factor,
       figure.rank_correlation,
       figure.rank_correlation_t,
       figure.next_day_mae_pct,
       figure.directional_accuracy,
       figure.coverage_80,
       figure.coverage_95,
       figure.fit_verdict,
       figure.fit_advice,
       verdict.passed AS verdict_passed,
       verdict.reason AS verdict_reason,
       verdict.decided_at,
       promoted.promoted_at,
       version.hyperparameters ->> 'architecture' AS architecture,
       version.hyperparameters,
       version.publish,
       version.source,
       version.source = 'simulated' AS simulated,
       cardinality(version.symbols) AS assets,
       version.symbols,
       version.context_symbols,
       version.first_date,
       version.last_date,
       coalesce(dataset.manifest -> 'missing_columns', '{}') AS missing_columns,
       version.seed,
       version.code_revision,
       version.run_id,
       version.dataset_id,
       version.created_at,
       version.files_deleted_at,
       version.damaged_at
FROM roi.model_versions AS version
CROSS JOIN jsonb_to_record(version.metrics) AS figure (
    r2 double precision,
    no_skill_r2 double precision,
    linear_r2 double precision,
    persistence_r2 double precision,
    zero_r2 double precision,
    mae double precision,
    rmse double precision,
    next_day_r2_against_zero double precision,
    next_day_r2_against_zero_lower_95 double precision,
    next_day_r2_against_zero_upper_95 double precision,
    next_day_r2_against_zero_t double precision,
    gap_r2_against_zero double precision,
    gap_r2_against_zero_t double precision,
    open_to_close_r2_against_zero double precision,
    open_to_close_r2_against_zero_t double precision,
    network_r2_gain double precision,
    network_r2_gain_lower_95 double precision,
    network_r2_gain_upper_95 double precision,
    rank_correlation double precision,
    rank_correlation_t double precision,
    next_day_mae_pct double precision,
    directional_accuracy double precision,
    coverage_80 double precision,
    coverage_95 double precision,
    network_factor double precision,
    fit_verdict text,
    fit_advice text
)
LEFT JOIN LATERAL (
    SELECT passed, reason, decided_at
    FROM roi.gate_decisions AS decision
    WHERE decision.version_id = version.version_id AND rule = 'verdict'
    ORDER BY decided_at DESC
    LIMIT 1
) AS verdict ON true
CROSS JOIN LATERAL (
    SELECT max(promotion.promoted_at) AS promoted_at
    FROM roi.promotions AS promotion
    WHERE promotion.version_id = version.version_id
) AS promoted
JOIN roi.datasets AS dataset ON dataset.dataset_id = version.dataset_id;

COMMENT ON VIEW roi.versions IS
    'Every version: its test scores next to the baselines'', its data and the gate''s verdict.';
COMMENT ON COLUMN roi.versions.rank IS
    '1 for the best r2 of its model name; ties share a rank';
COMMENT ON COLUMN roi.versions.version_id IS 'the model version';
COMMENT ON COLUMN roi.versions.r2 IS 'R2 of the scaled smoothed ROI on test rows';
COMMENT ON COLUMN roi.versions.no_skill_r2 IS
    'R2 of knowing everything except the next session''s ROI, for which it takes the training mean';
COMMENT ON COLUMN roi.versions.linear_r2 IS
    'R2 of the version''s linear part, without its network';
COMMENT ON COLUMN roi.versions.persistence_r2 IS 'R2 of repeating the last value';
COMMENT ON COLUMN roi.versions.zero_r2 IS
    'R2 of knowing everything except the next session''s ROI, for which it takes 0';
COMMENT ON COLUMN roi.versions.mae IS
    'mean absolute error of the scaled smoothed ROI, unitless';
COMMENT ON COLUMN roi.versions.rmse IS
    'root mean squared error of the scaled smoothed ROI, unitless';
COMMENT ON COLUMN roi.versions.next_day_r2_against_zero IS
    'R2 of the next-day ROI on test rows, against always forecasting 0';
COMMENT ON COLUMN roi.versions.next_day_r2_against_zero_lower_95 IS
    'lower 95 % bound of next_day_r2_against_zero';
COMMENT ON COLUMN roi.versions.next_day_r2_against_zero_upper_95 IS
    'upper 95 % bound of next_day_r2_against_zero';
COMMENT ON COLUMN roi.versions.next_day_r2_against_zero_t IS
    'next_day_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.versions.gap_r2_against_zero IS
    'R2 of the opening gap in the next session''s ROI, against always forecasting 0';
COMMENT ON COLUMN roi.versions.gap_r2_against_zero_t IS
    'gap_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.versions.open_to_close_r2_against_zero IS
    'R2 of the next session''s ROI from opening to close, against always forecasting 0';
COMMENT ON COLUMN roi.versions.open_to_close_r2_against_zero_t IS
    'open_to_close_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.versions.network_r2_gain IS
    'what the network adds to next_day_r2_against_zero of the version''s linear part';
COMMENT ON COLUMN roi.versions.network_r2_gain_lower_95 IS
    'lower 95 % bound of network_r2_gain';
COMMENT ON COLUMN roi.versions.network_r2_gain_upper_95 IS
    'upper 95 % bound of network_r2_gain';
COMMENT ON COLUMN roi.versions.network_factor IS
    'share of what the network adds to the linear part that is published, from 0 to 1';
COMMENT ON COLUMN roi.versions.rank_correlation IS
    'mean over test sessions of the rank correlation of forecast and actual ROIs';
COMMENT ON COLUMN roi.versions.rank_correlation_t IS
    'rank_correlation over its standard error';
COMMENT ON COLUMN roi.versions.next_day_mae_pct IS
    'mean absolute error of the next-day ROI, in percent';
COMMENT ON COLUMN roi.versions.directional_accuracy IS
    'fraction of correct signs, where neither ROI is 0';
COMMENT ON COLUMN roi.versions.coverage_80 IS
    'fraction of test outcomes inside the 80 % interval';
COMMENT ON COLUMN roi.versions.coverage_95 IS
    'fraction of test outcomes inside the 95 % interval';
COMMENT ON COLUMN roi.versions.architecture IS 'architecture of the network';
COMMENT ON COLUMN roi.versions.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.versions.assets IS 'number of assets';
COMMENT ON COLUMN roi.versions.first_date IS 'first trading date of its data';
COMMENT ON COLUMN roi.versions.last_date IS 'last trading date of its data';
COMMENT ON COLUMN roi.versions.fit_verdict IS
    'whether the version overfits, underfits or neither';
COMMENT ON COLUMN roi.versions.fit_advice IS 'which parameter to change';
COMMENT ON COLUMN roi.versions.verdict_passed IS
    'true: the candidate passed the gate; null without a decision';
COMMENT ON COLUMN roi.versions.verdict_reason IS 'why the gate decided so';
COMMENT ON COLUMN roi.versions.decided_at IS 'when the gate decided on it last';
COMMENT ON COLUMN roi.versions.promoted_at IS 'when it was last promoted; null if it never served';
COMMENT ON COLUMN roi.versions.run_id IS 'the run that trained it';
COMMENT ON COLUMN roi.versions.source IS 'price source, such as yahoo, or csv with its name';
COMMENT ON COLUMN roi.versions.created_at IS 'when the row was stored';
COMMENT ON COLUMN roi.versions.symbols IS 'symbols, in the order of the dataset''s columns';
COMMENT ON COLUMN roi.versions.missing_columns IS
    'by asset or context asset, the columns of a bar that the source lacked';
