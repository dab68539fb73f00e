"""How the published forecasts of a model name scored, whatever version made them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from roi_forecast.reading.records import LiveSkill
from roi_forecast.reading.views import live_skill


def read_live_skill(connection: Connection, model_name: str) -> list[LiveSkill]:
    """Read the scores of a model name: live before backfills, by horizon, all sessions first."""
    score = live_skill.c
    rows = connection.execute(
        select(live_skill)
        .where(score.model_name == model_name, score.scope == "model_name")
        .order_by(score.split.desc(), score.horizon, score.newest_sessions.desc().nulls_first())
    )
    return [LiveSkill.model_validate(dict(row)) for row in rows.mappings()]
