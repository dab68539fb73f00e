CREATE VIEW roi.tuning_studies AS
SELECT study.study,
       run.model_name,
       study.source,
       study.source = 'simulated' AS simulated,
       study.dataset_id,
       dataset.as_of_date,
       run.run_id AS last_run_id,
       (run.resolved #>> '{tuning,trials}')::integer AS trials_wanted,
       counts.complete,
       counts.pruned,
       best.trial AS best_trial,
       best.validation_r2 AS best_validation_r2,
       best.parameters AS best_parameters,
       first.validation_r2 AS first_validation_r2,
       study.importance,
       study.identity,
       study.created_at
FROM roi.studies AS study
JOIN roi.datasets AS dataset ON dataset.dataset_id = study.dataset_id
LEFT JOIN LATERAL (
    SELECT newest.run_id, newest.model_name, newest.resolved
    FROM roi.runs AS newest
    WHERE newest.resolved #>> '{tuning,study}' = study.study
    ORDER BY newest.claimed_at DESC, newest.run_id
    LIMIT 1
) AS run ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE trial.state = 'complete') AS complete,
           count(*) FILTER (WHERE trial.state = 'pruned') AS pruned
    FROM roi.trials AS trial
    WHERE trial.study = study.study
) AS counts
LEFT JOIN LATERAL (
    SELECT trial.trial, trial.validation_r2, trial.parameters
    FROM roi.trials AS trial
    WHERE trial.study = study.study AND trial.state = 'complete'
    ORDER BY trial.validation_r2 DESC, trial.trial
    LIMIT 1
) AS best ON true
LEFT JOIN roi.trials AS first
  ON first.study = study.study AND first.trial = 0 AND first.state = 'complete';

COMMENT ON VIEW roi.tuning_studies IS
    'Hyperparameter searches with their progress, best trial and the importance of parameters.';
COMMENT ON COLUMN roi.tuning_studies.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.tuning_studies.model_name IS 'model name of the newest run of the search';
COMMENT ON COLUMN roi.tuning_studies.last_run_id IS 'the newest run of the search';
COMMENT ON COLUMN roi.tuning_studies.trials_wanted IS
    'number of finished trials at which the newest run ends the search';
COMMENT ON COLUMN roi.tuning_studies.complete IS 'number of trials with a score';
COMMENT ON COLUMN roi.tuning_studies.pruned IS 'number of trials that ended early, without a score';
COMMENT ON COLUMN roi.tuning_studies.best_trial IS 'the trial with the highest validation R2';
COMMENT ON COLUMN roi.tuning_studies.best_validation_r2 IS 'its validation R2';
COMMENT ON COLUMN roi.tuning_studies.best_parameters IS 'its hyperparameters';
COMMENT ON COLUMN roi.tuning_studies.first_validation_r2 IS
    'validation R2 of the run''s own set, which is the first trial; null if it was pruned';
