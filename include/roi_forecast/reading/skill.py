"""What a version is known to be worth on the plain next-day ROI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from roi_forecast.reading.views import version_scores


@dataclass(frozen=True)
class NextDaySkill:
    """Test scores of a version's published next-day ROI, all assets together.

    Attributes:
        r2_against_zero: R2 against forecasting zero; None where it was not scored.
        directional_accuracy: Share of directions it had right, or None.
        coverage_80: Share within the 80 % interval, or None.
        coverage_95: Share within the 95 % interval, or None.
        first_date: First test session, or None.
        last_date: Last test session, or None.
    """

    r2_against_zero: float | None
    directional_accuracy: float | None
    coverage_80: float | None
    coverage_95: float | None
    first_date: date | None
    last_date: date | None


def read_next_day_skill(connection: Connection, version_id: str) -> NextDaySkill:
    """Read the newest test scores of a version; without any, all is None."""
    score = version_scores.c
    rows = connection.execute(
        select(score.metric, score.value, score.first_date, score.last_date).where(
            score.version_id == version_id,
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
