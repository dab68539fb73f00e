"""One version with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from roi_forecast.reading import listings, views
from roi_forecast.reading.records import GateRuling, Score, VersionDetails


@dataclass(frozen=True)
class VersionRecord:
    """A version, its newest scores, and the gate's rulings, newest decision first."""

    details: VersionDetails
    scores: list[Score]
    rulings: list[GateRuling]


def read_version(connection: Connection, version_id: str) -> VersionRecord | None:
    """Read a version, or return None where there is none of this id."""
    view = views.model_version_details
    row = connection.execute(select(view).where(view.c.version_id == version_id)).mappings()
    found = row.one_or_none()
    if found is None:
        return None
    scores = views.version_scores
    rulings, _ = listings.GATE_RULINGS.read(
        connection, views.gate_rulings.c.version_id == version_id
    )
    return VersionRecord(
        details=VersionDetails.model_validate(dict(found)),
        scores=[
            Score.model_validate(dict(score))
            for score in connection.execute(
                select(*(scores.c[name] for name in Score.model_fields))
                .where(scores.c.version_id == version_id)
                .order_by(
                    scores.c.target,
                    scores.c.split,
                    scores.c.symbol.asc().nulls_first(),
                    scores.c.predictor,
                    scores.c.metric,
                )
            ).mappings()
        ],
        rulings=rulings,
    )
