"""The figures of one run that a dashboard shows, read from what its stages stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Select, and_, func, select

from roi_forecast.database.monitoring_tables import champion_checks
from roi_forecast.database.tables import (
    evaluations,
    extractions,
    gate_decisions,
    predictions,
    promotions,
)
from roi_forecast.registry.carried_out import VERDICT
from roi_forecast.serving.fallback import fallback_author

FIGURES = (
    "bars_stored",
    "extractions_failed",
    "promoted",
    "test_r2",
    "next_day_r2",
    "forecasts",
    "limits_broken",
    "fallbacks",
)


def read_figures(engine: Engine, run_id: str) -> dict[str, float]:
    """Return the figures of a run by name; one that the run does not have is left out.

    `bars_stored` counts bars that were new or changed, `extractions_failed` assets without usable
    prices, `forecasts` rows that the run added; `promoted` is 1 or 0; `test_r2` is that of the
    candidate's scaled smoothed ROI, `next_day_r2` that of its plain next-day ROI, both over all
    assets; `limits_broken` counts the limits that the champion's live forecasts are below,
    `fallbacks` the damaged champions in whose place the run let the version before serve.

    Args:
        engine: Market database.
        run_id: The run, after its last stage.
    """
    questions: dict[str, Select[Any]] = {
        "bars_stored": select(func.sum(extractions.c.rows)).where(extractions.c.run_id == run_id),
        "extractions_failed": select(func.count()).where(
            extractions.c.run_id == run_id, extractions.c.status == "failed"
        ),
        "promoted": select(gate_decisions.c.passed).where(
            gate_decisions.c.run_id == run_id, gate_decisions.c.rule == VERDICT
        ),
        "test_r2": _test_r2(run_id, "smoothed_scaled"),
        "next_day_r2": _test_r2(run_id, "next_day_pct"),
        "forecasts": select(func.count()).where(predictions.c.run_id == run_id),
        "limits_broken": select(func.count()).where(
            champion_checks.c.run_id == run_id, champion_checks.c.state == "below"
        ),
        "fallbacks": select(func.count()).where(
            promotions.c.promoted_by == fallback_author(run_id)
        ),
    }
    with engine.connect() as connection:
        found = {name: connection.scalar(question) for name, question in questions.items()}
    return {name: float(value) for name, value in found.items() if value is not None}


def _test_r2(run_id: str, target: str) -> Select[Any]:
    table = evaluations.c
    return select(func.max(table.value)).where(
        and_(
            table.run_id == run_id,
            table.predictor == "model",
            table.target == target,
            table.split == "test",
            table.metric == "r2",
            table.symbol.is_(None),
            table.fold.is_(None),
            table.horizon == 1,
        )
    )
