"""Everything that is known about one version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from roi_forecast.reading.pagination import Record, row_of


@row_of("versions", "-created_at", "version_id")
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


@row_of("versions")
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


@row_of(
    "version_scores", "version_id", "target", "split", "symbol", "predictor", "metric", "horizon"
)
class Score(Record):
    """One figure of a version or of a baseline."""

    model_name: str
    version_id: str
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
    simulated: bool


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


@dataclass(frozen=True)
class VersionRecord:
    """A version, its newest scores over all assets, and the gate's rulings, newest first."""

    details: VersionDetails
    scores: list[Score]
    rulings: list[GateRuling]


@dataclass(frozen=True)
class SkillEstimate:
    """R2 against forecasting zero.

    Attributes:
        value: None where it is not defined or not known.
        lower_95: Lower 95 % bound, or None.
        upper_95: Upper 95 % bound, or None.
        t: The value over its standard error, or None.
    """

    value: float | None = None
    lower_95: float | None = None
    upper_95: float | None = None
    t: float | None = None


@dataclass(frozen=True)
class NextDaySkill:
    """Test scores of a version's published next-day ROI, all assets together.

    Attributes:
        roi: R2 against zero of the ROI from close to close.
        gap: That of the part up to the opening.
        open_to_close: That of the part from there on.
        directional_accuracy: Fraction of correct signs, or None.
        directions_share: Share of forecasts with a direction, or None.
        coverage_80: Fraction inside the 80 % interval, or None.
        coverage_95: Fraction inside the 95 % interval, or None.
        first_date: First test session, or None.
        last_date: Last test session, or None.
    """

    roi: SkillEstimate
    gap: SkillEstimate
    open_to_close: SkillEstimate
    directional_accuracy: float | None
    directions_share: float | None
    coverage_80: float | None
    coverage_95: float | None
    first_date: date | None
    last_date: date | None


def read_version(connection: Connection, version_id: str) -> VersionRecord | None:
    """Read a version; None if no version has this id."""
    details = read_details(connection, version_id)
    if details is None:
        return None
    rulings, _ = GateRuling.read(connection, GateRuling.view.c.version_id == version_id)
    return VersionRecord(
        details=details,
        scores=Score.read_all(
            connection, Score.view.c.version_id == version_id, Score.view.c.symbol.is_(None)
        ),
        rulings=rulings,
    )


def read_details(connection: Connection, version_id: str) -> VersionDetails | None:
    """Read a version without its scores; None if no version has this id."""
    view = VersionDetails.view
    found = connection.execute(select(view).where(view.c.version_id == version_id)).mappings()
    row = found.one_or_none()
    return None if row is None else VersionDetails.model_validate(dict(row))


def read_next_day_skill(connection: Connection, version_id: str) -> NextDaySkill:
    """Read the newest test scores of a version's next-day ROI; a missing one is None."""
    score = Score.view.c
    rows = connection.execute(
        select(score.target, score.metric, score.value, score.first_date, score.last_date).where(
            score.version_id == version_id,
            score.predictor == "model",
            score.target.in_(["next_day_pct", "gap_pct", "open_to_close_pct"]),
            score.split == "test",
            score.symbol.is_(None),
            score.horizon == 1,
        )
    ).all()
    values = {(row.target, row.metric): row.value for row in rows}

    def estimate(target: str) -> SkillEstimate:
        bounds = ("", "_lower_95", "_upper_95", "_t")
        return SkillEstimate(*(values.get((target, f"r2_against_zero{bound}")) for bound in bounds))

    return NextDaySkill(
        roi=estimate("next_day_pct"),
        gap=estimate("gap_pct"),
        open_to_close=estimate("open_to_close_pct"),
        directional_accuracy=values.get(("next_day_pct", "directional_accuracy")),
        directions_share=values.get(("next_day_pct", "directions_share")),
        coverage_80=values.get(("next_day_pct", "coverage_80")),
        coverage_95=values.get(("next_day_pct", "coverage_95")),
        first_date=rows[0].first_date if rows else None,
        last_date=rows[0].last_date if rows else None,
    )
