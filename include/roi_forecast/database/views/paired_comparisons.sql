-- The gate compares a candidate with the version that serves: the verdict names it, the figures are
-- those of the same run.
CREATE VIEW roi.paired_comparisons AS
SELECT version.model_name,
       decision.version_id,
       decision.opponent,
       decision.run_id,
       figures.first_date,
       figures.last_date,
       figures.sessions,
       figures.r2_against_zero,
       figures.opponent_r2_against_zero,
       figures.r2_gain,
       figures.r2_gain_lower_95,
       figures.r2_gain_upper_95,
       figures.interval_gain,
       figures.interval_gain_lower_95,
       figures.interval_gain_upper_95,
       decision.passed,
       decision.decided_at,
       version.source,
       version.source = 'simulated' AS simulated
FROM roi.gate_decisions AS decision
JOIN roi.model_versions AS version ON version.version_id = decision.version_id
JOIN LATERAL (
    SELECT min(score.first_date) AS first_date,
           max(score.last_date) AS last_date,
           max(score.value) FILTER (WHERE score.metric = 'sessions')::integer AS sessions,
           max(score.value) FILTER (
               WHERE score.predictor = 'model' AND score.metric = 'r2_against_zero'
           ) AS r2_against_zero,
           max(score.value) FILTER (
               WHERE score.predictor = 'champion' AND score.metric = 'r2_against_zero'
           ) AS opponent_r2_against_zero,
           max(score.value) FILTER (WHERE score.metric = 'r2_gain') AS r2_gain,
           max(score.value) FILTER (WHERE score.metric = 'r2_gain_lower_95') AS r2_gain_lower_95,
           max(score.value) FILTER (WHERE score.metric = 'r2_gain_upper_95') AS r2_gain_upper_95,
           max(score.value) FILTER (WHERE score.metric = 'interval_gain') AS interval_gain,
           max(score.value) FILTER (WHERE score.metric = 'interval_gain_lower_95')
               AS interval_gain_lower_95,
           max(score.value) FILTER (WHERE score.metric = 'interval_gain_upper_95')
               AS interval_gain_upper_95
    FROM roi.evaluations AS score
    WHERE score.run_id = decision.run_id
      AND score.version_id = decision.version_id
      AND score.target = 'next_day_common'
      AND score.symbol IS NULL
) AS figures ON figures.sessions IS NOT NULL
WHERE decision.rule = 'verdict' AND decision.opponent IS NOT NULL;

COMMENT ON VIEW roi.paired_comparisons IS
    'Every candidate against the version that served, on sessions that neither was fitted on.';
COMMENT ON COLUMN roi.paired_comparisons.version_id IS 'the candidate';
COMMENT ON COLUMN roi.paired_comparisons.opponent IS 'the version that served';
COMMENT ON COLUMN roi.paired_comparisons.run_id IS 'the run that compared them';
COMMENT ON COLUMN roi.paired_comparisons.first_date IS 'first common session';
COMMENT ON COLUMN roi.paired_comparisons.last_date IS 'last common session';
COMMENT ON COLUMN roi.paired_comparisons.sessions IS 'number of common sessions';
COMMENT ON COLUMN roi.paired_comparisons.r2_against_zero IS
    'R2 of the candidate''s next-day ROI on them, against always forecasting 0';
COMMENT ON COLUMN roi.paired_comparisons.opponent_r2_against_zero IS
    'the same of the opponent';
COMMENT ON COLUMN roi.paired_comparisons.r2_gain IS
    'r2_against_zero less that of the opponent, by resampled sessions';
COMMENT ON COLUMN roi.paired_comparisons.r2_gain_lower_95 IS 'lower 95 % bound of r2_gain';
COMMENT ON COLUMN roi.paired_comparisons.r2_gain_upper_95 IS 'upper 95 % bound of r2_gain';
COMMENT ON COLUMN roi.paired_comparisons.interval_gain IS
    'share by which the candidate''s interval score is better, a fraction';
COMMENT ON COLUMN roi.paired_comparisons.interval_gain_lower_95 IS
    'lower 95 % bound of interval_gain';
COMMENT ON COLUMN roi.paired_comparisons.interval_gain_upper_95 IS
    'upper 95 % bound of interval_gain';
COMMENT ON COLUMN roi.paired_comparisons.passed IS 'true: the candidate passed the gate';
COMMENT ON COLUMN roi.paired_comparisons.simulated IS 'true: the prices are simulated, not real';
