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
class NextDaySkill:
    """Test scores of a version's published next-day ROI, all assets together.

    Attributes:
        r2_against_zero: R2 against forecasting zero, or None.
        directional_accuracy: Fraction of correct signs, or None.
        coverage_80: Fraction inside the 80 % interval, or None.
        coverage_95: Fraction inside the 95 % interval, or None.
        first_date: First test session, or None.
        last_date: Last test session, or None.
    """

    r2_against_zero: float | None
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
        select(score.metric, score.value, score.first_date, score.last_date).where(
            column("version_id") == version_id,
            score.predictor == "model",
            score.target == "next_day_pct",
            score.split == "test",
            score.symbol.is_(None),
            score.horizon == 1,
        )
    ).all()
    values = {row.metric: row.value for row in rows}
    return NextDaySkill(
        r2_against_zero=values.get("r2_against_zero"),
        directional_accuracy=values.get("directional_accuracy"),
        coverage_80=values.get("coverage_80"),
        coverage_95=values.get("coverage_95"),
        first_date=rows[0].first_date if rows else None,
        last_date=rows[0].last_date if rows else None,
    )
