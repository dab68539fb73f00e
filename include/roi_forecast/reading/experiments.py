"""Rows of backtests, of searches for hyperparameters, and of compared versions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from roi_forecast.reading.pagination import Record, row_of


@row_of("backtest_folds", "-started_at", "run_id", "place", "predictor")
class BacktestFold(Record):
    """What a predictor scored in a fold of a backtest, or in all folds together."""

    run_id: str
    model_name: str
    fold: int | None
    place: int
    predictor: str
    first_date: date
    last_date: date
    rows: int
    smoothed_r2: float | None
    smoothed_mae_pct: float | None
    next_day_r2_against_zero: float | None
    next_day_r2_against_zero_lower_95: float | None
    next_day_r2_against_zero_upper_95: float | None
    next_day_r2_against_zero_t: float | None
    gap_r2_against_zero: float | None
    gap_r2_against_zero_lower_95: float | None
    gap_r2_against_zero_upper_95: float | None
    gap_r2_against_zero_t: float | None
    open_to_close_r2_against_zero: float | None
    open_to_close_r2_against_zero_lower_95: float | None
    open_to_close_r2_against_zero_upper_95: float | None
    open_to_close_r2_against_zero_t: float | None
    next_day_mae_pct: float | None
    rank_correlation: float | None
    rank_correlation_t: float | None
    directional_accuracy: float | None
    directional_accuracy_lower_95: float | None
    directional_accuracy_upper_95: float | None
    coverage_80: float | None
    coverage_95: float | None
    interval_score_80: float | None
    interval_score_95: float | None
    shrinkage: float | None
    source: str
    simulated: bool
    started_at: datetime


@row_of("tuning_studies", "-created_at", "study")
class TuningStudy(Record):
    """A search for hyperparameters, with its progress and its best trial."""

    study: str
    model_name: str | None
    source: str
    simulated: bool
    dataset_id: str
    as_of_date: date
    last_run_id: str | None
    trials_wanted: int | None
    complete: int
    pruned: int
    best_trial: int | None
    best_validation_r2: float | None
    best_parameters: dict[str, Any] | None
    first_validation_r2: float | None
    importance: dict[str, float] | None
    identity: dict[str, Any]
    created_at: datetime


@row_of("tuning_trials", "study", "trial")
class TuningTrial(Record):
    """A trial of a search for hyperparameters."""

    study: str
    trial: int
    rank: int | None
    state: Literal["complete", "pruned"]
    validation_r2: float | None
    parameters: dict[str, Any]
    epochs: int
    seconds: float
    source: str
    simulated: bool
    dataset_id: str
    as_of_date: date
    run_id: str
    finished_at: datetime


@row_of("paired_comparisons", "-decided_at", "run_id", "version_id")
class PairedComparison(Record):
    """A candidate against the version that served, on sessions that neither was fitted on."""

    model_name: str
    version_id: str
    opponent: str
    run_id: str
    first_date: date
    last_date: date
    sessions: int
    r2_against_zero: float | None
    opponent_r2_against_zero: float | None
    r2_gain: float | None
    r2_gain_lower_95: float | None
    r2_gain_upper_95: float | None
    interval_gain: float | None
    interval_gain_lower_95: float | None
    interval_gain_upper_95: float | None
    passed: bool
    decided_at: datetime
    source: str
    simulated: bool
