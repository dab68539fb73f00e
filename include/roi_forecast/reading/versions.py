"""Everything that is known about one version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, column, select

from roi_forecast.reading.records import GateRuling, Score, VersionDetails


@dataclass(frozen=True)
class VersionRecord:
    """A version, its newest scores, and the gate's rulings, newest decision first."""

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
        coverage_80: Fraction inside the 80 % interval, or None.
        coverage_95: Fraction inside the 95 % interval, or None.
        first_date: First test session, or None.
        last_date: Last test session, or None.
    """

    roi: SkillEstimate
    gap: SkillEstimate
    open_to_close: SkillEstimate
    directional_accuracy: float | None
    coverage_80: float | None
    coverage_95: float | None
    first_date: date | None
    last_date: date | None


def read_version(connection: Connection, version_id: str) -> VersionRecord | None:
    """Read a version; None if no version has this id."""
    view, score = VersionDetails.view, Score.view.c
    found = (
        connection.execute(select(view).where(view.c.version_id == version_id))
        .mappings()
        .one_or_none()
    )
    if found is None:
        return None
    scores = connection.execute(
        select(Score.view)
        .where(column("version_id") == version_id)
        .order_by(
            score.target,
            score.split,
            score.symbol.asc().nulls_first(),
            score.predictor,
            score.metric,
        )
    ).mappings()
    rulings, _ = GateRuling.read(connection, GateRuling.view.c.version_id == version_id)
    return VersionRecord(
        details=VersionDetails.model_validate(dict(found)),
        scores=[Score.model_validate(dict(row)) for row in scores],
        rulings=rulings,
    )


def read_next_day_skill(connection: Connection, version_id: str) -> NextDaySkill:
    """Read the newest test scores of a version's next-day ROI; a missing one is None."""
    score = Score.view.c
    rows = connection.execute(
        select(score.target, score.metric, score.value, score.first_date, score.last_date).where(
            column("version_id") == version_id,
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
        coverage_80=values.get(("next_day_pct", "coverage_80")),
        coverage_95=values.get(("next_day_pct", "coverage_95")),
        first_date=rows[0].first_date if rows else None,
        last_date=rows[0].last_date if rows else None,
    )
