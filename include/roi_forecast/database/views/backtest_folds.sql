CREATE VIEW roi.backtest_folds AS
WITH figures AS (
    SELECT run_id,
           fold,
           predictor,
           min(first_date) AS first_date,
           max(last_date) AS last_date,
           max(rows) AS rows,
           max(value) FILTER (WHERE target = 'smoothed_pct' AND metric = 'r2') AS smoothed_r2,
           max(value) FILTER (WHERE target = 'smoothed_pct' AND metric = 'mae')
               AS smoothed_mae_pct,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero')
               AS next_day_r2_against_zero,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero_lower_95')
               AS next_day_r2_against_zero_lower_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero_upper_95')
               AS next_day_r2_against_zero_upper_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'r2_against_zero_t')
               AS next_day_r2_against_zero_t,
           max(value) FILTER (WHERE target = 'gap_pct' AND metric = 'r2_against_zero')
               AS gap_r2_against_zero,
           max(value) FILTER (WHERE target = 'gap_pct' AND metric = 'r2_against_zero_lower_95')
               AS gap_r2_against_zero_lower_95,
           max(value) FILTER (WHERE target = 'gap_pct' AND metric = 'r2_against_zero_upper_95')
               AS gap_r2_against_zero_upper_95,
           max(value) FILTER (WHERE target = 'gap_pct' AND metric = 'r2_against_zero_t')
               AS gap_r2_against_zero_t,
           max(value) FILTER (WHERE target = 'open_to_close_pct' AND metric = 'r2_against_zero')
               AS open_to_close_r2_against_zero,
           max(value) FILTER (WHERE target = 'open_to_close_pct' AND metric = 'r2_against_zero_lower_95')
               AS open_to_close_r2_against_zero_lower_95,
           max(value) FILTER (WHERE target = 'open_to_close_pct' AND metric = 'r2_against_zero_upper_95')
               AS open_to_close_r2_against_zero_upper_95,
           max(value) FILTER (WHERE target = 'open_to_close_pct' AND metric = 'r2_against_zero_t')
               AS open_to_close_r2_against_zero_t,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'mae') AS next_day_mae_pct,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'rank_correlation')
               AS rank_correlation,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'rank_correlation_t')
               AS rank_correlation_t,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'directional_accuracy')
               AS directional_accuracy,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'directional_accuracy_lower_95')
               AS directional_accuracy_lower_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'directional_accuracy_upper_95')
               AS directional_accuracy_upper_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'coverage_80')
               AS coverage_80,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'coverage_95')
               AS coverage_95,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'interval_score_80')
               AS interval_score_80,
           max(value) FILTER (WHERE target = 'next_day_pct' AND metric = 'interval_score_95')
               AS interval_score_95,
           max(value) FILTER (WHERE metric = 'shrinkage') AS shrinkage
    FROM roi.evaluations
    WHERE split = 'backtest' AND symbol IS NULL
    GROUP BY run_id, fold, predictor
)
SELECT run.model_name,
       figures.*,
       coalesce(figures.fold, -1) AS place,
       run.source,
       run.source = 'simulated' AS simulated,
       run.resolved -> 'config' ->> 'architecture' AS architecture,
       run.resolved -> 'backtest' ->> 'window' AS window_kind,
       run.claimed_at AS started_at
FROM figures
JOIN roi.runs AS run ON run.run_id = figures.run_id;

COMMENT ON VIEW roi.backtest_folds IS
    'Figures of backtests by run, fold and predictor; without a fold, of all folds together.';
COMMENT ON COLUMN roi.backtest_folds.place IS 'the fold; -1 for all folds together';
COMMENT ON COLUMN roi.backtest_folds.smoothed_r2 IS 'R2 of the smoothed ROI';
COMMENT ON COLUMN roi.backtest_folds.smoothed_mae_pct IS
    'mean absolute error of the smoothed ROI, in percent';
COMMENT ON COLUMN roi.backtest_folds.next_day_r2_against_zero IS
    'R2 of the next-day ROI, against always forecasting 0';
COMMENT ON COLUMN roi.backtest_folds.next_day_r2_against_zero_lower_95 IS
    'lower 95 % bound of next_day_r2_against_zero';
COMMENT ON COLUMN roi.backtest_folds.next_day_r2_against_zero_upper_95 IS
    'upper 95 % bound of next_day_r2_against_zero';
COMMENT ON COLUMN roi.backtest_folds.next_day_r2_against_zero_t IS
    'next_day_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.backtest_folds.gap_r2_against_zero IS
    'R2 of the opening gap in the next session''s ROI, against always forecasting 0';
COMMENT ON COLUMN roi.backtest_folds.gap_r2_against_zero_lower_95 IS
    'lower 95 % bound of gap_r2_against_zero';
COMMENT ON COLUMN roi.backtest_folds.gap_r2_against_zero_upper_95 IS
    'upper 95 % bound of gap_r2_against_zero';
COMMENT ON COLUMN roi.backtest_folds.gap_r2_against_zero_t IS
    'gap_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.backtest_folds.open_to_close_r2_against_zero IS
    'R2 of the next session''s ROI from opening to close, against always forecasting 0';
COMMENT ON COLUMN roi.backtest_folds.open_to_close_r2_against_zero_lower_95 IS
    'lower 95 % bound of open_to_close_r2_against_zero';
COMMENT ON COLUMN roi.backtest_folds.open_to_close_r2_against_zero_upper_95 IS
    'upper 95 % bound of open_to_close_r2_against_zero';
COMMENT ON COLUMN roi.backtest_folds.open_to_close_r2_against_zero_t IS
    'open_to_close_r2_against_zero over its standard error';
COMMENT ON COLUMN roi.backtest_folds.next_day_mae_pct IS
    'mean absolute error of the next-day ROI, in percent';
COMMENT ON COLUMN roi.backtest_folds.rank_correlation IS
    'mean over days of the rank correlation of forecast and actual ROIs';
COMMENT ON COLUMN roi.backtest_folds.rank_correlation_t IS
    'rank_correlation over its standard error';
COMMENT ON COLUMN roi.backtest_folds.directional_accuracy IS
    'fraction of correct signs, where neither ROI is 0';
COMMENT ON COLUMN roi.backtest_folds.directional_accuracy_lower_95 IS
    'lower 95 % bound of directional_accuracy, a fraction';
COMMENT ON COLUMN roi.backtest_folds.directional_accuracy_upper_95 IS
    'upper 95 % bound of directional_accuracy, a fraction';
COMMENT ON COLUMN roi.backtest_folds.coverage_80 IS 'fraction of outcomes inside the 80 % interval';
COMMENT ON COLUMN roi.backtest_folds.coverage_95 IS 'fraction of outcomes inside the 95 % interval';
COMMENT ON COLUMN roi.backtest_folds.interval_score_80 IS
    'mean interval score of the 80 % interval, in percent; lower is better';
COMMENT ON COLUMN roi.backtest_folds.interval_score_95 IS
    'mean interval score of the 95 % interval, in percent; lower is better';
COMMENT ON COLUMN roi.backtest_folds.shrinkage IS
    'factor from 0 to 1 that shrinks the linear part, mean over the fold; 1 leaves it unchanged';
COMMENT ON COLUMN roi.backtest_folds.simulated IS 'true: the prices are simulated, not real';
COMMENT ON COLUMN roi.backtest_folds.architecture IS 'architecture of the network';
COMMENT ON COLUMN roi.backtest_folds.window_kind IS 'expanding or rolling training window';
COMMENT ON COLUMN roi.backtest_folds.started_at IS 'when the run started';
