"""The rows of the views, as pages and the API show them. Columns ending in `_pct` hold percent.

To add a list, write its view, if it is new, and its record here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from roi_forecast.reading.pagination import Record, row_of


@row_of("model_names", "model_name")
class ModelName(Record):
    """A name under which candidates compete and one champion serves."""

    model_name: str
    champion_version_id: str | None
    source: str | None
    simulated: bool | None
    last_run_id: str | None
    last_as_of_date: date | None
    last_run_at: datetime | None


@row_of("published_forecasts", "-as_of_date", "symbol", "horizon", "version_id")
class Forecast(Record):
    """A forecast of one asset. The ROI runs from the as-of date to the target date."""

    model_name: str
    symbol: str
    name: str | None
    as_of_date: date
    target_date: date
    horizon: int
    predicted_roi_pct: float
    gap_roi_pct: float | None
    open_to_close_roi_pct: float | None
    lower_80_pct: float
    upper_80_pct: float
    lower_95_pct: float
    upper_95_pct: float
    predicted_smoothed_roi_pct: float
    source: str
    simulated: bool
    backfill: bool
    missing_context: list[str]
    version_id: str
    created_at: datetime


@row_of("latest_predictions", "model_name", "symbol")
class LatestForecast(Forecast):
    """A forecast of the serving champion at its newest as-of date, with the version's skill."""

    version_next_day_r2_against_zero: float | None
    version_directional_accuracy: float | None
    member_spread_pct: float | None
    published_at: datetime | None


@row_of("latest_forecast_path", "model_name", "symbol", "horizon")
class PathForecast(Forecast):
    """One step of the newest path of the serving champion."""

    method: str


@row_of("latest_context", "model_name", "symbol", "context_symbol")
class ContextEffect(Record):
    """What a context asset did, and what that adds to the newest forecast of an asset."""

    model_name: str
    symbol: str
    as_of_date: date
    target_date: date
    context_symbol: str
    context_name: str | None
    move_pct: float
    added_pct: float
    missing: bool
    version_id: str


@row_of("prediction_outcomes", "-target_date", "symbol", "horizon", "-as_of_date", "version_id")
class Outcome(Record):
    """A forecast whose target session is past, next to the actual ROI."""

    model_name: str
    symbol: str
    as_of_date: date
    target_date: date
    horizon: int
    predicted_roi_pct: float
    gap_roi_pct: float | None
    open_to_close_roi_pct: float | None
    realised_roi_pct: float
    realised_gap_pct: float | None
    realised_open_to_close_pct: float | None
    error_pct: float
    direction_hit: bool | None
    inside_80: bool
    inside_95: bool
    filled_target: bool
    source: str
    simulated: bool
    backfill: bool
    missing_context: list[str]
    version_id: str
    created_at: datetime


@row_of("model_leaderboard", "-created_at", "version_id")
class VersionSummary(Record):
    """A trained version: its test scores next to those of the baselines."""

    model_name: str
    version_id: str
    state: str
    rank: int
    r2: float | None
    no_skill_r2: float | None
    linear_r2: float | None
    persistence_r2: float | None
    zero_r2: float | None
    mae: float | None
    rmse: float | None
    next_day_r2_against_zero: float | None
    next_day_r2_against_zero_lower_95: float | None
    next_day_r2_against_zero_upper_95: float | None
    next_day_r2_against_zero_t: float | None
    gap_r2_against_zero: float | None
    gap_r2_against_zero_t: float | None
    open_to_close_r2_against_zero: float | None
    open_to_close_r2_against_zero_t: float | None
    network_r2_gain: float | None
    network_r2_gain_lower_95: float | None
    network_r2_gain_upper_95: float | None
    network_factor: float | None
    rank_correlation: float | None
    rank_correlation_t: float | None
    next_day_mae_pct: float | None
    directional_accuracy: float | None
    coverage_80: float | None
    coverage_95: float | None
    fit_verdict: str | None
    fit_advice: str | None
    architecture: str | None
    source: str
    simulated: bool
    assets: int
    first_date: date
    last_date: date
    created_at: datetime
    context_symbols: list[str]
    publish: str


@row_of("model_version_details")
class VersionDetails(Record):
    """A version's data, hyperparameters, files and verdict."""

    model_name: str
    version_id: str
    state: str
    run_id: str
    dataset_id: str
    source: str
    simulated: bool
    symbols: list[str]
    first_date: date
    last_date: date
    hyperparameters: dict[str, Any]
    seed: int
    code_revision: str
    created_at: datetime
    files_deleted_at: datetime | None
    network_factor: float | None
    verdict_passed: bool | None
    verdict_reason: str | None
    decided_at: datetime | None
    promoted_at: datetime | None
    damaged_at: datetime | None
    context_symbols: list[str]
    publish: str
    missing_columns: dict[str, list[str]]


@row_of("version_scores")
class Score(Record):
    """One figure of a version or of a baseline."""

    predictor: str
    target: str
    symbol: str | None
    split: str
    metric: str
    horizon: int
    value: float | None
    first_date: date
    last_date: date
    rows: int


@row_of("gate_rulings", "-decided_at", "run_id", "version_id", "rule")
class GateRuling(Record):
    """The ruling of one rule of the gate; the rule `verdict` is the decision itself."""

    model_name: str
    run_id: str
    version_id: str
    rule: str
    is_verdict: bool
    opponent: str | None
    decisive: bool
    threshold: float | None
    observed: float | None
    passed: bool
    reason: str
    decided_at: datetime
    simulated: bool


@row_of("champion_history", "-served_from", "model_name", "version_id")
class Promotion(Record):
    """A period in which a version served."""

    model_name: str
    version_id: str
    served_from: datetime
    served_until: datetime | None
    from_version_id: str | None
    promoted_by: str
    reason: str
    source: str
    simulated: bool


RunState = Literal["done", "failed", "running", "waiting"]


@row_of("run_history", "-started_at", "run_id")
class Run(Record):
    """A DAG run: what it extracted, checked and decided."""

    run_id: str
    model_name: str | None
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    as_of_date: date | None
    failed_stage: str | None
    reason: str | None
    dag_id: str
    source: str | None
    simulated: bool
    assets: int
    failed_extractions: int
    failed_checks: int
    version_id: str | None
    verdict_passed: bool | None
    verdict_reason: str | None


@row_of("asset_health", "model_name", "symbol")
class AssetHealth(Record):
    """The prices of one asset or context asset after the newest run of a model name."""

    model_name: str
    run_id: str
    symbol: str
    name: str | None
    context: bool
    source: str
    simulated: bool
    as_of_date: date
    last_bar_date: date | None
    fetched_at: datetime | None
    extraction_status: str
    extracted_rows: int
    extraction_error: str | None
    finished_at: datetime
    missing_columns: list[str] | None
    stated_currency: str | None
    failed_checks: int


@row_of("failed_checks", "-checked_at", "id")
class FailedCheck(Record):
    """A failed check of the prices."""

    model_name: str
    id: int
    run_id: str
    source: str
    simulated: bool
    symbol: str | None
    trading_date: date | None
    check_name: str
    severity: str
    observed: float | None
    allowed: float | None
    message: str
    checked_at: datetime


@row_of("champion_status", "model_name", "horizon", "measure")
class ChampionCheck(Record):
    """The newest check of one of a champion's live figures against its limit."""

    model_name: str
    version_id: str
    serving: bool
    as_of_date: date
    horizon: int
    measure: str
    scope: str
    sessions: int
    threshold: float
    observed: float | None
    upper_95: float | None
    state: str
    reason: str
    run_id: str
    checked_at: datetime
    simulated: bool


@row_of("latest_drift", "model_name", "symbol")
class Drift(Record):
    """Distance of an asset's newest log ROIs from the champion's training rows."""

    model_name: str
    symbol: str
    name: str | None
    drifting: bool
    wasserstein: float | None
    wasserstein_limit: float | None
    scale_ratio: float | None
    scale_ratio_low: float | None
    scale_ratio_high: float | None
    window_first_date: date | None
    window_last_date: date | None
    as_of_date: date
    version_id: str
    run_id: str
    measured_at: datetime
    simulated: bool


@row_of("live_skill")
class LiveSkill(Record):
    """Scores of published forecasts, with 95 % bounds if there are enough sessions."""

    model_name: str
    scope: str
    version_id: str | None
    split: str
    horizon: int
    newest_sessions: int | None
    first_target_date: date
    last_target_date: date
    sessions: int | None
    rows: int
    mae_pct: float | None
    mae_of_zero_pct: float | None
    r2_against_zero: float | None
    r2_against_zero_lower_95: float | None
    r2_against_zero_upper_95: float | None
    coverage_80: float | None
    coverage_95: float | None
    directional_accuracy: float | None
    gap_r2_against_zero: float | None
    gap_r2_against_zero_lower_95: float | None
    gap_r2_against_zero_upper_95: float | None
    open_to_close_r2_against_zero: float | None
    open_to_close_r2_against_zero_lower_95: float | None
    open_to_close_r2_against_zero_upper_95: float | None
    missing_context: int | None
    simulated: bool
