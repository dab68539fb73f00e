"""The rows of the views, as people and programs get them. Columns ending in `_pct` hold percent."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """A row of a view; its fields are the columns that are read, by name."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class ModelName(Record):
    """A name under which candidates compete and one champion serves."""

    model_name: str
    champion_version_id: str | None = Field(description="The version that serves, if any.")
    source: str | None = Field(description="Where its prices come from.")
    simulated: bool | None = Field(description="Whether its prices are simulated.")
    last_run_id: str | None = Field(description="Airflow's id of the newest DAG run.")
    last_as_of_date: date | None
    last_run_at: datetime | None


class Forecast(Record):
    """A forecast of one asset. The ROI runs from the as-of date to the target date."""

    model_name: str
    symbol: str
    name: str | None = Field(description="Name of the asset.")
    as_of_date: date = Field(description="Last session that the forecast knows.")
    target_date: date = Field(description="Session that is forecast.")
    horizon: int = Field(description="Reference sessions from the as-of date to the target date.")
    predicted_roi_pct: float
    lower_80_pct: float
    upper_80_pct: float
    lower_95_pct: float
    upper_95_pct: float
    predicted_smoothed_roi_pct: float = Field(
        description="The network's own output: the mean of the last log ROIs, as percent."
    )
    source: str
    simulated: bool = Field(description="Whether the prices are simulated.")
    backfill: bool = Field(description="Whether it was made after its target session opened.")
    version_id: str
    created_at: datetime


class LatestForecast(Forecast):
    """A forecast of the serving champion at its newest as-of date, with the version's skill."""

    version_next_day_r2: float | None = Field(
        description="R2 of the version's plain next-day ROI on test rows, against the test mean."
    )
    version_directional_accuracy: float | None = Field(
        description="Share of test rows whose direction the version had right."
    )
    member_spread_pct: float | None = Field(
        description="Standard deviation of the smoothed forecast over an ensemble's members; null "
        "for a single network."
    )


class PathForecast(Forecast):
    """One step of the newest path of the serving champion."""

    method: str = Field(
        description="single_step for the next session, beyond it direct or recursive."
    )


class Outcome(Record):
    """A forecast whose target session is past, beside what happened."""

    model_name: str
    symbol: str
    as_of_date: date
    target_date: date
    horizon: int
    predicted_roi_pct: float
    realised_roi_pct: float
    error_pct: float = Field(description="Realised less predicted, percentage points.")
    direction_hit: bool | None = Field(description="Null where either ROI is exactly zero.")
    inside_80: bool
    inside_95: bool
    filled_target: bool = Field(description="The asset had no bar: its price was carried.")
    source: str
    simulated: bool
    backfill: bool
    version_id: str
    created_at: datetime


class VersionSummary(Record):
    """A trained version: its test scores beside the baselines'."""

    model_name: str
    version_id: str
    state: str = Field(description="candidate, champion, retired or rejected")
    rank: int = Field(description="By test R2 among the versions of its name.")
    r2: float | None = Field(description="Test R2 of the scaled smoothed ROI: mostly arithmetic.")
    noise_limit_r2: float | None = Field(
        description="R2 of an oracle that knows nothing of tomorrow."
    )
    ridge_r2: float | None
    persistence_r2: float | None
    training_mean_r2: float | None
    mae: float | None
    rmse: float | None
    next_day_r2: float | None = Field(description="Test R2 of the plain next-day ROI.")
    next_day_mae_pct: float | None
    directional_accuracy: float | None
    fit_verdict: str | None = Field(description="Whether it over- or underfits, if judged.")
    fit_advice: str | None = Field(description="Which parameter to turn.")
    architecture: str | None
    source: str
    simulated: bool
    assets: int
    first_date: date
    last_date: date
    created_at: datetime


class VersionDetails(Record):
    """How a version came about, and what the gate said of it."""

    model_name: str
    version_id: str
    state: str
    run_id: str = Field(description="Airflow's id of the DAG run that trained it.")
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
    files_deleted_at: datetime | None = Field(
        description="When retention deleted its files; null while they are there."
    )
    shrinkage: float | None = Field(
        description="Share of the implied log ROI that is published, from validation rows."
    )
    verdict_passed: bool | None = Field(description="Null where the gate has not decided yet.")
    verdict_reason: str | None
    decided_at: datetime | None
    promoted_at: datetime | None
    damaged_at: datetime | None = Field(
        description="When its files were found damaged; null where they were whole last."
    )


class Score(Record):
    """One figure of a version or of a baseline beside it."""

    predictor: str = Field(description="model, ridge, persistence, training_mean, noise_limit")
    target: str = Field(description="smoothed_scaled, smoothed_common or next_day_pct")
    symbol: str | None = Field(description="Null for all assets together.")
    split: str = Field(description="train, validation, test, live or backfill")
    metric: str
    horizon: int = Field(description="Reference sessions from the as-of date to the target date.")
    value: float | None
    first_date: date
    last_date: date
    rows: int


class GateRuling(Record):
    """What one rule of the gate said of a version; the rule `verdict` is the decision itself."""

    model_name: str
    run_id: str
    version_id: str
    rule: str
    is_verdict: bool
    opponent: str | None = Field(description="The champion it was held against, if any.")
    decisive: bool = Field(description="False: shown, but does not decide.")
    threshold: float | None
    observed: float | None
    passed: bool
    reason: str
    decided_at: datetime
    simulated: bool


class Promotion(Record):
    """A time during which a version served."""

    model_name: str
    version_id: str
    served_from: datetime
    served_until: datetime | None = Field(description="Null while it serves.")
    from_version_id: str | None
    promoted_by: str
    reason: str
    source: str
    simulated: bool


RunState = Literal["done", "failed", "running", "waiting"]


class Run(Record):
    """A DAG run: what it extracted, checked and decided."""

    run_id: str = Field(description="Airflow's id of the DAG run.")
    model_name: str | None = Field(description="Null where the run was refused without one.")
    state: RunState = Field(description="done, failed, running or waiting")
    started_at: datetime = Field(description="When its first stage began for the first time.")
    ended_at: datetime | None = Field(
        description="When it was done or failed; null while it continues, and where it died."
    )
    as_of_date: date | None = Field(description="Null before the run is resolved.")
    failed_stage: str | None
    reason: str | None = Field(
        description="Why it failed, what it waits for, which stage runs, or what the gate decided."
    )
    dag_id: str
    source: str | None = Field(description="Null before the run is resolved.")
    simulated: bool
    assets: int = Field(description="Assets it tried to extract.")
    failed_extractions: int
    failed_checks: int
    version_id: str | None = Field(description="The version it judged.")
    verdict_passed: bool | None
    verdict_reason: str | None


class AssetHealth(Record):
    """The prices of one asset, as the newest run of a model name left them."""

    model_name: str
    run_id: str
    symbol: str
    name: str | None
    source: str
    simulated: bool
    as_of_date: date = Field(description="As-of date of the run.")
    last_bar_date: date | None
    fetched_at: datetime | None
    extraction_status: str = Field(description="ok or failed")
    extracted_rows: int = Field(description="Rows inserted or changed.")
    extraction_error: str | None
    finished_at: datetime
    failed_checks: int


class FailedCheck(Record):
    """A check of the prices that failed."""

    model_name: str
    id: int
    run_id: str
    source: str
    simulated: bool
    symbol: str | None = Field(description="Null where the check is about the whole run.")
    trading_date: date | None = Field(description="Null where it is about the whole series.")
    check_name: str
    severity: str = Field(description="warn, drop_bar, drop_asset or stop_run")
    observed: float | None
    allowed: float | None
    message: str
    checked_at: datetime


class ChampionCheck(Record):
    """Whether a champion's live forecasts still keep one promise, as its newest check found."""

    model_name: str
    version_id: str
    serving: bool = Field(description="Whether the version still serves.")
    as_of_date: date = Field(description="Last target date that counts.")
    horizon: int
    measure: str
    scope: str = Field(description="version: its own forecasts; model_name: whatever served.")
    sessions: int = Field(description="Target sessions counted.")
    threshold: float
    observed: float | None
    upper_95: float | None = Field(description="Upper bound; below the threshold is reported.")
    state: str = Field(description="kept, below or too_few")
    reason: str
    run_id: str
    checked_at: datetime
    simulated: bool


class Drift(Record):
    """How far the newest log ROIs of an asset lie from those the champion was trained on."""

    model_name: str
    symbol: str
    name: str | None
    drifting: bool
    wasserstein: float | None = Field(description="Distance of the two distributions.")
    wasserstein_limit: float | None = Field(description="A distance beyond it counts as drift.")
    scale_ratio: float | None = Field(description="Spread of the newest over that of training.")
    scale_ratio_low: float | None
    scale_ratio_high: float | None
    window_first_date: date | None
    window_last_date: date | None
    as_of_date: date
    version_id: str
    run_id: str
    measured_at: datetime
    simulated: bool


class LiveSkill(Record):
    """Scores of what was published, with 95 % bounds where there are enough sessions."""

    model_name: str
    scope: str = Field(description="version: of one version; model_name: of whatever served.")
    version_id: str | None
    split: str = Field(description="live: made before the session opened; backfill: after.")
    horizon: int
    newest_sessions: int | None = Field(description="So many target sessions; null for all.")
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
    simulated: bool
