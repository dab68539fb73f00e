CREATE OR REPLACE VIEW roi.versions AS
WITH newest AS (
    SELECT DISTINCT ON (version_id, predictor, target, metric)
           version_id, concat_ws(' ', predictor, target, metric) AS figure, value
    FROM roi.evaluations
    WHERE split = 'test' AND symbol IS NULL AND fold IS NULL AND horizon = 1
    ORDER BY version_id, predictor, target, metric, id DESC
),
scores AS (
    SELECT version_id,
           max(value) FILTER (WHERE figure = 'model smoothed_scaled r2') AS r2,
           max(value) FILTER (WHERE figure = 'no_skill smoothed_scaled r2') AS no_skill_r2,
           max(value) FILTER (WHERE figure = 'linear smoothed_scaled r2') AS linear_r2,
           max(value) FILTER (WHERE figure = 'persistence smoothed_scaled r2') AS persistence_r2,
           max(value) FILTER (WHERE figure = 'zero smoothed_scaled r2') AS zero_r2,
           max(value) FILTER (WHERE figure = 'model smoothed_scaled mae') AS mae,
           max(value) FILTER (WHERE figure = 'model smoothed_scaled rmse') AS rmse,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_against_zero')
               AS next_day_r2_against_zero,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_against_zero_lower_95')
               AS next_day_r2_against_zero_lower_95,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_against_zero_upper_95')
               AS next_day_r2_against_zero_upper_95,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_against_zero_t')
               AS next_day_r2_against_zero_t,
           max(value) FILTER (WHERE figure = 'model gap_pct r2_against_zero') AS gap_r2_against_zero,
           max(value) FILTER (WHERE figure = 'model gap_pct r2_against_zero_t')
               AS gap_r2_against_zero_t,
           max(value) FILTER (WHERE figure = 'model open_to_close_pct r2_against_zero')
               AS open_to_close_r2_against_zero,
           max(value) FILTER (WHERE figure = 'model open_to_close_pct r2_against_zero_t')
               AS open_to_close_r2_against_zero_t,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_gain_over_linear')
               AS network_r2_gain,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_gain_over_linear_lower_95')
               AS network_r2_gain_lower_95,
           max(value) FILTER (WHERE figure = 'model next_day_pct r2_gain_over_linear_upper_95')
               AS network_r2_gain_upper_95,
           max(value) FILTER (WHERE figure = 'model next_day_pct rank_correlation')
               AS rank_correlation,
           max(value) FILTER (WHERE figure = 'model next_day_pct rank_correlation_t')
               AS rank_correlation_t,
           max(value) FILTER (WHERE figure = 'model next_day_pct mae') AS next_day_mae_pct,
           max(value) FILTER (WHERE figure = 'model next_day_pct directional_accuracy')
               AS directional_accuracy,
           max(value) FILTER (WHERE figure = 'model next_day_pct coverage_80') AS coverage_80,
           max(value) FILTER (WHERE figure = 'model next_day_pct coverage_95') AS coverage_95
    FROM newest
    GROUP BY version_id
),
verdict AS (
    SELECT DISTINCT ON (version_id) version_id, passed, reason, decided_at
    FROM roi.gate_decisions
    WHERE rule = 'verdict'
    ORDER BY version_id, decided_at DESC
),
promoted AS (
    SELECT version_id, max(promoted_at) AS promoted_at
    FROM roi.promotions
    GROUP BY version_id
)
SELECT version.model_name,
       rank() OVER (PARTITION BY version.model_name ORDER BY scores.r2 DESC NULLS LAST) AS rank,
       version.version_id,
       version.state,
       scores.r2,
       scores.no_skill_r2,
       scores.linear_r2,
       scores.persistence_r2,
       scores.zero_r2,
       scores.mae,
       scores.rmse,
       scores.next_day_r2_against_zero,
       scores.next_day_r2_against_zero_lower_95,
       scores.next_day_r2_against_zero_upper_95,
       scores.next_day_r2_against_zero_t,
       scores.gap_r2_against_zero,
       scores.gap_r2_against_zero_t,
       scores.open_to_close_r2_against_zero,
       scores.open_to_close_r2_against_zero_t,
       scores.network_r2_gain,
       scores.network_r2_gain_lower_95,
       scores.network_r2_gain_upper_95,
       (version.metrics ->> 'network_factor')::double precision AS network_factor,
       scores.rank_correlation,
       scores.rank_correlation_t,
       scores.next_day_mae_pct,
       scores.directional_accuracy,
       scores.coverage_80,
       scores.coverage_95,
       version.metrics ->> 'fit_verdict' AS fit_verdict,
       version.metrics ->> 'fit_advice' AS fit_advice,
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
LEFT JOIN scores ON scores.version_id = version.version_id
LEFT JOIN verdict ON verdict.version_id = version.version_id
LEFT JOIN promoted ON promoted.version_id = version.version_id
JOIN roi.datasets AS dataset ON dataset.dataset_id = version.dataset_id;
