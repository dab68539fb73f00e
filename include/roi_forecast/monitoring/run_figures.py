"""The figures of one run that a dashboard shows, from the rows that its stages stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Select, func, select

from roi_forecast.database.tables import (
    evaluations,
    extractions,
    gate_decisions,
    live_checks,
    predictions,
    promotions,
)
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.serving.fallback import fallback_author


def read_figures(engine: Engine, run_id: str) -> dict[str, float]:
    """Return the figures of a run by name, without those that the run does not have.

    Args:
        engine: Market database.
        run_id: The run, after its last stage.

    Returns:
        `bars_stored`: bars that were new or changed. `extractions_failed`: assets without usable
        prices. `promoted`: 1 or 0. `test_r2` and `next_day_r2_against_zero`: test R2 of the
        candidate's scaled smoothed ROI and of its next-day ROI, over all assets. `forecasts`: rows
        that the run added. `limits_failed`: limits that the champion's live figures are below.
        `fallbacks`: damaged champions that the run replaced by the version before.
    """
    questions: dict[str, Select[Any]] = {
        "bars_stored": select(func.sum(extractions.c.rows)).where(extractions.c.run_id == run_id),
        "extractions_failed": select(func.count()).where(
            extractions.c.run_id == run_id, extractions.c.status == "failed"
        ),
        "promoted": select(gate_decisions.c.passed).where(
            gate_decisions.c.run_id == run_id, gate_decisions.c.rule == VERDICT
        ),
        "test_r2": _test_score(run_id, "smoothed_scaled", "r2"),
        "next_day_r2_against_zero": _test_score(run_id, "next_day_pct", "r2_against_zero"),
        "forecasts": select(func.count()).where(predictions.c.run_id == run_id),
        "limits_failed": select(func.count()).where(
            live_checks.c.run_id == run_id, live_checks.c.state == "below"
        ),
        "fallbacks": select(func.count()).where(
            promotions.c.promoted_by == fallback_author(run_id)
        ),
    }
    with engine.connect() as connection:
        found = {name: connection.scalar(question) for name, question in questions.items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def _test_score(run_id: str, target: str, metric: str) -> Select[Any]:
    score = evaluations.c
    return select(func.max(score.value)).where(
        score.run_id == run_id,
        score.predictor == "model",
        score.target == target,
        score.split == "test",
        score.metric == metric,
        score.symbol.is_(None),
        score.fold.is_(None),
        score.horizon == 1,
    )
