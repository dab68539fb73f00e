-- The newest evaluation of each version counts. Folds belong to backtests.
CREATE VIEW roi.version_scores AS
SELECT DISTINCT ON (score.version_id, score.predictor, score.target, score.symbol, score.split,
                    score.metric, score.horizon)
       version.model_name,
       score.version_id,
       score.predictor,
       score.target,
       score.symbol,
       score.split,
       score.metric,
       score.horizon,
       score.value,
       score.first_date,
       score.last_date,
       score.rows,
       version.source = 'simulated' AS simulated
FROM roi.evaluations AS score
JOIN roi.model_versions AS version ON version.version_id = score.version_id
WHERE score.fold IS NULL AND score.newest_sessions IS NULL
ORDER BY score.version_id, score.predictor, score.target, score.symbol, score.split, score.metric,
         score.horizon, score.id DESC;

COMMENT ON VIEW roi.version_scores IS
    'The newest evaluation of every version, one row per figure.';
COMMENT ON COLUMN roi.version_scores.version_id IS 'the model version';
COMMENT ON COLUMN roi.version_scores.symbol IS 'the asset''s symbol; null for all assets together';
COMMENT ON COLUMN roi.version_scores.first_date IS 'first trading date of the rows';
COMMENT ON COLUMN roi.version_scores.last_date IS 'last trading date of the rows';
COMMENT ON COLUMN roi.version_scores.simulated IS 'true: the prices are simulated, not real';
