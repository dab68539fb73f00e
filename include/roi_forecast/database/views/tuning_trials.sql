CREATE VIEW roi.tuning_trials AS
SELECT trial.study,
       CASE WHEN trial.state = 'complete'
            THEN rank() OVER (PARTITION BY trial.study, trial.state
                              ORDER BY trial.validation_r2 DESC)
       END AS rank,
       trial.trial,
       trial.state,
       trial.validation_r2,
       trial.parameters,
       trial.epochs,
       trial.seconds,
       study.source,
       study.source = 'simulated' AS simulated,
       study.dataset_id,
       dataset.as_of_date,
       trial.run_id,
       trial.finished_at
FROM roi.trials AS trial
JOIN roi.studies AS study ON study.study = trial.study
JOIN roi.datasets AS dataset ON dataset.dataset_id = study.dataset_id;

COMMENT ON VIEW roi.tuning_trials IS
    'Trials of the hyperparameter searches, ranked within their study.';
COMMENT ON COLUMN roi.tuning_trials.rank IS '1 for the best validation_r2; null if pruned';
COMMENT ON COLUMN roi.tuning_trials.state IS 'complete or pruned';
COMMENT ON COLUMN roi.tuning_trials.source IS 'where the dataset''s prices come from';
COMMENT ON COLUMN roi.tuning_trials.simulated IS 'true: the prices are simulated, not real';
